"""Images made alike but for what they show: one size, one format, one quality, no metadata."""

from __future__ import annotations

import io
from dataclasses import dataclass

from ufd_ray.errors import DecodeError, ErrorCode
from ufd_ray.images.crop_decoding import Crop
from ufd_ray.images.decoding import to_rgb


@dataclass(frozen=True)
class Alignment:
    """What all images are made into.

    Attributes:
        size: side of the centre crop, pixels.
        quality: of the JPEG, 1 … 100.
    """

    size: int
    quality: int


def align(crop: Crop, alignment: Alignment) -> bytes:
    """A centre crop as a JPEG without metadata: the same bytes for the same pixels.

    Its colours are stored as most JPEGs store them, at half the resolution (4:2:0), so that those
    of a PNG have no more of it.

    Args:
        crop: of `alignment.size`.
        alignment: what it becomes.

    Raises:
        DecodeError: `too_small`; `unsupported` samples, `corrupt` palette.
    """
    width, height = crop.sides
    size = alignment.size
    if min(width, height) < size:
        raise DecodeError(
            ErrorCode.TOO_SMALL,
            f"{width}×{height} pixels, fewer than the {size}×{size} that images are aligned to"
            " (--align-size)",
        )
    rgb = to_rgb(crop.shown)
    rgb.info = {}  # colour profile, EXIF and comments would be written along
    file = io.BytesIO()
    rgb.save(file, "JPEG", quality=alignment.quality, subsampling="4:2:0")
    return file.getvalue()
