"""Decoded image → augmented views, by the paper's training transform.

The shorter side is resized to 256 (for inputs of 224; bilinear), then the image is perhaps blurred,
perhaps compressed, cropped and perhaps flipped. A resize is part of it, and so an encoder's own
preprocessing (`crop` or `resize`), which makes view 0, plays no part here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ufd_ray.images.blurring import gaussian_blur
from ufd_ray.images.cropping import crop_window, on_black, resize_shorter_side
from ufd_ray.images.view_draws import Split, ViewDraws, draw_view

MCU = 16
"""Side of the squares that JPEG compresses by themselves, pixels."""
_MARGIN = 2 * MCU


@dataclass(frozen=True)
class Views:
    """Which augmented views of a file are wanted.

    Attributes:
        num: how many, numbered from 1 on.
        split: whose transform makes them.
        key: 32 bytes that all draws depend on (`view_key`).
    """

    num: int
    split: Split
    key: bytes


def make_views(image: Image.Image, views: Views, size: int) -> npt.NDArray[np.uint8]:
    """Make the views of an image.

    Args:
        image: decoded, in any mode.
        views: which ones.
        size: the encoder's input side, pixels. The shorter side becomes 256/224 of it, so that as
            much of a picture is seen at any size as in the paper at 224.

    Returns:
        uint8 (num, size, size, 3), RGB.

    Raises:
        DecodeError: `unsupported` sample format, `corrupt` palette, `too_many_pixels` resized.
    """
    short_side = round(size * 256 / 224)
    resized = np.asarray(resize_shorter_side(image, short_side, Image.Resampling.BILINEAR))
    draws = [draw_view(views.key, number, views.split) for number in range(1, views.num + 1)]
    return np.stack([apply_draws(resized, drawn, size) for drawn in draws])


def apply_draws(
    resized: npt.NDArray[np.uint8], drawn: ViewDraws, size: int
) -> npt.NDArray[np.uint8]:
    """Make one view.

    Blur and compression are done around the crop alone, to the same pixels as if they were done to
    the whole image: so a view of a long panorama costs what one of a square costs.

    Args:
        resized: uint8 (height, width, 3).
        drawn: what is done to it.
        size: side of the crop, pixels.

    Returns:
        uint8 (size, size, 3); black where the picture is smaller, which lies in the middle then.
    """
    height, width = resized.shape[:2]
    share_left, share_top = drawn.place or (None, None)
    left, top = _first(width, size, share_left), _first(height, size, share_top)
    around_x, around_y = _around(width, left, size), _around(height, top, size)
    pixels = resized[around_y, around_x]
    if drawn.sigma is not None:
        pixels = gaussian_blur(pixels, drawn.sigma)
    if drawn.quality is not None:
        pixels = through_jpeg(pixels, drawn.quality)
    x, y = left - around_x.start, top - around_y.start
    view = pixels[y : y + size, x : x + size]
    if view.shape[:2] != (size, size):
        view = on_black(Image.fromarray(np.ascontiguousarray(view)), size)
    return view[:, ::-1] if drawn.is_flipped else view


def _first(side: int, size: int, share: float | None) -> int:
    # Of a side that is shorter than the crop there is one place: all of it.
    places = max(1, side - size + 1)
    return crop_window(side, size)[0] if share is None else int(share * places)


def _around(side: int, first: int, size: int) -> slice:
    """What of a side blur and JPEG look at to make `size` pixels from `first` on.

    Squares of JPEG wholly, from where the whole image's begin. The blur reaches 12 pixels in from
    a cut edge, so the outermost square is not what it would be; colours are interpolated between
    neighbouring squares, so the one inside it is there for the crop's own.
    """
    start = max(0, first // MCU * MCU - _MARGIN)
    end = -(-(first + size) // MCU) * MCU + _MARGIN
    return slice(start, min(side, end))


def through_jpeg(pixels: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """Compress a picture to a JPEG of Pillow's usual kind, and read it again.

    Args:
        pixels: uint8 (height, width, 3), RGB.
        quality: 1 … 100.
    """
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file, formats=("JPEG",)))
