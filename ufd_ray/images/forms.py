"""Decoded image → the forms in which an evaluation sees it as well: compressed, blurred, resized.

Source: the paper's supplement, robustness; the order of steps is that of its released code: the
whole image is perturbed, and then preprocessed as ever.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images.blurring import gaussian_blur, reach_of
from ufd_ray.images.cropping import crop_box, on_black, to_pixels
from ufd_ray.images.decoding import to_rgb
from ufd_ray.images.views import MCU, through_jpeg

if TYPE_CHECKING:
    from ufd_ray.settings import PreprocessMode

FORM = struct.Struct("<BBB")
"""A form on its way to the decoder: standard deviation, quality, mode counted from 1; 0 is None."""
_MODES: tuple[PreprocessMode, ...] = ("crop", "resize")
_JPEG_SIDE = 65_500
"""Longest side that the JPEG library writes, pixels."""


@dataclass(frozen=True)
class Form:
    """What is done to an image to make a form of it.

    Attributes:
        sigma: standard deviation of the blur, pixels, 1 … 255; None: not blurred.
        quality: of the JPEG that it is compressed to and read from again; None: it is not.
        mode: preprocessing; None: the encoder's own.
    """

    sigma: int | None = None
    quality: int | None = None
    mode: PreprocessMode | None = None

    def to_bytes(self) -> bytes:
        """As it is sent."""
        mode = 1 + _MODES.index(self.mode) if self.mode else 0
        return FORM.pack(self.sigma or 0, self.quality or 0, mode)

    @classmethod
    def from_bytes(cls, data: bytes) -> Form:
        """As it was sent; the sender is trusted."""
        sigma, quality, mode = FORM.unpack(data)
        return cls(sigma or None, quality or None, _MODES[mode - 1] if mode else None)


def make_forms(
    image: Image.Image, forms: Sequence[Form], *, mode: PreprocessMode, size: int
) -> npt.NDArray[np.uint8]:
    """Make the forms of an image.

    Args:
        image: decoded, in any mode.
        forms: which ones, at least one.
        mode: the encoder's preprocessing.
        size: the encoder's input side, pixels.

    Returns:
        uint8 (forms, size, size, 3), RGB.

    Raises:
        DecodeError: `unsupported` sample format, `corrupt` palette; `too_many_pixels` resized, or
            along a side of a JPEG.
    """
    return np.stack([_make(image, form, form.mode or mode, size) for form in forms])


def _make(image: Image.Image, form: Form, mode: PreprocessMode, size: int) -> npt.NDArray[np.uint8]:
    if mode == "resize":
        # Made of every pixel of the image, so all of it is perturbed.
        whole = to_rgb(image)
        if form.sigma is not None or form.quality is not None:
            whole = Image.fromarray(_perturbed(np.asarray(whole), form))
        return to_pixels(whole, mode=mode, size=size)
    left, top, right, bottom = crop_box(image.size, size)
    margin = _margin(form)
    columns = _around(image.width, left, right, margin)
    rows = _around(image.height, top, bottom, margin)
    near = to_rgb(image.crop((columns.start, rows.start, columns.stop, rows.stop)))
    pixels = _perturbed(np.asarray(near), form)
    shown = pixels[top - rows.start : bottom - rows.start, left - columns.start :]
    return on_black(Image.fromarray(np.ascontiguousarray(shown[:, : right - left])), size)


def _perturbed(pixels: npt.NDArray[np.uint8], form: Form) -> npt.NDArray[np.uint8]:
    if form.sigma is not None:
        pixels = gaussian_blur(pixels, form.sigma)
    if form.quality is not None:
        if max(pixels.shape) > _JPEG_SIDE:
            raise DecodeError(
                ErrorCode.TOO_MANY_PIXELS,
                f"{pixels.shape[1]}×{pixels.shape[0]} pixels, and no side of a JPEG may have more"
                f" than {_JPEG_SIDE} (--sweep-jpeg)",
            )
        pixels = through_jpeg(pixels, form.quality)
    return pixels


def _margin(form: Form) -> int:
    """How far around a crop blur and JPEG look, in whole squares of a JPEG; see `views`.

    A square of JPEG more than the blur spoils from a cut edge, since colours are interpolated
    between neighbouring squares.
    """
    spoilt = 0 if form.sigma is None else reach_of(form.sigma)
    return (-(-spoilt // MCU) + (form.quality is not None)) * MCU


def _around(side: int, first: int, end: int, margin: int) -> slice:
    start = max(0, first // MCU * MCU - margin)
    return slice(start, min(side, -(-end // MCU) * MCU + margin))
