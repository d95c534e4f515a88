"""Decoded image → the pixels that one of the paper's other detectors is given, by its recipe.

Source: the paper's section 5.2 (baselines) and the published code of each.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from ufd_ray.images.cropping import center_crop, resize_shorter_side
from ufd_ray.images.decoding import to_rgb
from ufd_ray.images.view_draws import Chances, draw
from ufd_ray.images.views import apply_draws

BY_RECIPE = struct.Struct("<IIBdBBd32sH")
"""A `ByRecipe` on its way to the decoder; a resize of 0 is None."""
_RESAMPLINGS: tuple[Literal["bilinear", "lanczos"], ...] = ("bilinear", "lanczos")
_CROPS: tuple[Literal["centre", "random"], ...] = ("centre", "random")


@dataclass(frozen=True)
class PixelRecipe:
    """How an image becomes pixels, in the order of the attributes.

    Attributes:
        size: side of the crop, pixels: what the network is given.
        resize: what the shorter side is resized to first, pixels; None: it stays as it is.
        resampling: of that resize.
        perturbed: share of images that are blurred, and that of those compressed as JPEG, each by
            a coin of its own; strengths as in the paper's training transform.
        fixed: strengths are those of the paper's validation transform instead of drawn.
        crop: where the crop lies. Images smaller than it are padded with black.
        flipped: share of images whose left and right change places.
    """

    size: int
    resize: int | None = None
    resampling: Literal["bilinear", "lanczos"] = "bilinear"
    perturbed: float = 0.0
    fixed: bool = False
    crop: Literal["centre", "random"] = "centre"
    flipped: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether it is a centre crop and nothing else, as the paper's test transform."""
        return self == PixelRecipe(self.size)

    @property
    def chances(self) -> Chances:
        """What chance decides under it."""
        return Chances(self.perturbed, self.fixed, self.crop == "random", self.flipped)


@dataclass(frozen=True)
class ByRecipe:
    """Which picture of a file is wanted.

    Attributes:
        recipe: how it is made.
        key: 32 bytes that all draws depend on (`view_key`).
        number: of the draw, 1 … 65,535: another one each epoch.
    """

    recipe: PixelRecipe
    key: bytes
    number: int

    @classmethod
    def without_chance(cls, recipe: PixelRecipe) -> ByRecipe:
        """By a recipe that draws nothing: the same picture whatever the key."""
        return cls(recipe, bytes(32), 1)

    def to_bytes(self) -> bytes:
        """As it is sent."""
        recipe = self.recipe
        return BY_RECIPE.pack(
            recipe.size,
            recipe.resize or 0,
            _RESAMPLINGS.index(recipe.resampling),
            recipe.perturbed,
            recipe.fixed,
            _CROPS.index(recipe.crop),
            recipe.flipped,
            self.key,
            self.number,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ByRecipe:
        """As it was sent; the sender is trusted."""
        size, resize, by, perturbed, fixed, crop, flipped, key, number = BY_RECIPE.unpack(data)
        recipe = PixelRecipe(
            size, resize or None, _RESAMPLINGS[by], perturbed, bool(fixed), _CROPS[crop], flipped
        )
        return cls(recipe, key, number)


def make_by_recipe(image: Image.Image, wanted: ByRecipe) -> npt.NDArray[np.uint8]:
    """Make the pixels that a recipe asks for.

    Args:
        image: decoded, in any mode.
        wanted: how, and by which draw.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        DecodeError: `unsupported` sample format, `corrupt` palette, `too_many_pixels` resized.
    """
    recipe = wanted.recipe
    if recipe.is_plain:
        return center_crop(image, recipe.size)
    if recipe.resize is None:
        resized = to_rgb(image)
    else:
        resample = Image.Resampling[recipe.resampling.upper()]
        resized = resize_shorter_side(image, recipe.resize, resample)
    drawn = draw(wanted.key, wanted.number, recipe.chances)
    return apply_draws(np.asarray(resized), drawn, recipe.size)
