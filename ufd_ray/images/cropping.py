"""Decoded image → the square of pixels that an encoder sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images.decoding import to_rgb

if TYPE_CHECKING:
    from ufd_ray.settings import PreprocessMode

MAX_RESIZED_PIXELS = 100_000_000
"""A resized image may not be larger: a strip of 30,000×10 pixels would become 672,000×224."""


def crop_window(side: int, size: int) -> tuple[int, int, int]:
    """Where a centre crop lies along one side, in torchvision's `CenterCrop` arithmetic.

    Args:
        side: length of the image's side, pixels.
        size: length of the crop, pixels.

    Returns:
        `(first, count, offset)`: `count` pixels from `first` on go to `offset` in the crop; all
        else in it stays black.
    """
    if side < size:
        return 0, side, (size - side) // 2
    return round((side - size) / 2), size, 0  # ties to even, as torchvision's rounding


def crop_box(sides: tuple[int, int], size: int) -> tuple[int, int, int, int]:
    """What a centre crop of `size` pixels shows of an image: left, top, right, bottom."""
    (left, width, _), (top, height, _) = (crop_window(side, size) for side in sides)
    return left, top, left + width, top + height


def center_crop(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Centre crop without resizing (released code; resizing destroys the traces of generators).

    Args:
        image: decoded, in any mode.
        size: side of the crop, pixels.

    Returns:
        uint8 (size, size, 3), RGB; black where the image is smaller.

    Raises:
        DecodeError: `unsupported` sample format.
    """
    return on_black(image.crop(crop_box(image.size, size)), size)


def on_black(shown: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """What a centre crop shows of an image → the crop. Returns and errors as of `center_crop`."""
    # Cut first, convert after: the same pixels, and a photograph's other 99 % are left alone.
    converted = np.asarray(to_rgb(shown))
    if shown.size == (size, size):
        return converted
    (_, width, x), (_, height, y) = (crop_window(side, size) for side in shown.size)
    pixels = np.zeros((size, size, 3), dtype=np.uint8)
    pixels[y : y + height, x : x + width] = converted
    return pixels


def resize_shorter_side(image: Image.Image, side: int, resample: Image.Resampling) -> Image.Image:
    """Resize to a shorter side of `side` pixels (anti-aliased), in torchvision's arithmetic.

    Args:
        image: decoded, in any mode.
        side: what the shorter side becomes, pixels.
        resample: the interpolation.

    Returns:
        RGB.

    Raises:
        DecodeError: `unsupported` sample format, `corrupt` palette; `too_many_pixels`, when the
            resized image would exceed `MAX_RESIZED_PIXELS`.
    """
    short = min(image.size)
    width, height = (int(side * length / short) for length in image.size)
    if width * height > MAX_RESIZED_PIXELS:
        raise DecodeError(
            ErrorCode.TOO_MANY_PIXELS,
            f"{image.width}×{image.height} pixels resized to {width}×{height}, more than the"
            f" allowed {MAX_RESIZED_PIXELS}",
        )
    resized: Image.Image = to_rgb(image).resize((width, height), resample)
    return resized


def resize_and_crop(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Shorter side to `size` (bicubic, anti-aliased), then centre crop: CLIP's own preprocessing.

    Args as for `center_crop`, errors as for `resize_shorter_side`.
    """
    return center_crop(resize_shorter_side(image, size, Image.Resampling.BICUBIC), size)


def to_pixels(image: Image.Image, *, mode: PreprocessMode, size: int) -> npt.NDArray[np.uint8]:
    """An encoder's input by its identity's preprocessing.

    Args:
        image: decoded, in any mode.
        mode: `crop` or `resize`.
        size: the encoder's input side, pixels.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        DecodeError: `unsupported` sample format, `corrupt` palette; with `resize`,
            `too_many_pixels`.
    """
    return center_crop(image, size) if mode == "crop" else resize_and_crop(image, size)
