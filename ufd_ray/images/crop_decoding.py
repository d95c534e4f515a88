"""Decoding for a centre crop alone: of a JPEG, only the crop and what lies above it is read."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from PIL import Image

from ufd_ray.errors import DecodeError
from ufd_ray.images.cropping import crop_box
from ufd_ray.images.decoding import decode, load_image, open_image
from ufd_ray.images.jpeg_library import jpeg_library, jpeg_part
from ufd_ray.images.jpeg_rows import upper_rows

WORTHWHILE_PIXELS = 2**18
"""Smaller images are decoded whole: that takes no longer than to look for the markers."""

_BANDS = {"L": 1, "RGB": 3}


class Crop(NamedTuple):
    """What a centre crop shows of an image.

    Attributes:
        shown: the part that `crop_box` names, loaded, in the image's own mode.
        format: one of `FORMATS`.
        sides: width and height of the whole image, pixels.
    """

    shown: Image.Image
    format: str
    sides: tuple[int, int]


def decode_crop(data: bytes, *, max_pixels: int, size: int) -> Crop:
    """Decode all that a centre crop shows, by the same library to the same pixels as `decode`.

    The rest of a JPEG is left out where its markers prove that `decode` would take the file,
    whatever that rest holds. All else, and what is odd on the way, is for `decode` to judge.

    Args:
        data: the file's bytes.
        max_pixels: width × height above which nothing is decoded.
        size: side of the crop, pixels.

    Raises:
        DecodeError: as `decode` does.
    """
    opened = open_image(data, max_pixels=max_pixels)
    if opened.format in ("JPEG", "MPO") and opened.width * opened.height >= WORTHWHILE_PIXELS:
        shown = _jpeg_crop(data, opened, size)
        if shown is not None:
            return Crop(shown, "JPEG", opened.size)
    image = load_image(opened, data)
    return Crop(image.crop(crop_box(image.size, size)), image.format or "", image.size)


def _jpeg_crop(data: bytes, opened: Image.Image, size: int) -> Image.Image | None:
    library, bands = jpeg_library(), _BANDS.get(opened.mode)
    box = crop_box(opened.size, size)
    upper = upper_rows(data, box[3])
    if library is None or bands is None or upper is None:
        return None
    with suppress(DecodeError):
        decode(upper.markers, max_pixels=opened.width * opened.height)
        part = jpeg_part(library, upper.file, box, opened.width, bands)
        return None if part is None else Image.fromarray(part)
    return None
