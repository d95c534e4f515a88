"""What a file says of itself that has nothing to do with what it shows.

Real images and fakes that differ in these can be told apart without a look at a single pixel.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from PIL import JpegImagePlugin

from ufd_ray.images.decoding import FORMATS, open_image
from ufd_ray.images.jpeg_quality import estimate_quality

SAMPLINGS = (None, "4:4:4", "4:2:2", "4:2:0")
"""Of colours in a JPEG; None: it has none, one of its own, or the file is of another format."""

_EXIF_TAG = 34665  # where a TIFF, which is EXIF's own format, points to it
_OF_PICTURES = ("APP0", "APP1", "APP2", "APP14")  # JFIF, EXIF and XMP, ICC, Adobe's colours
# What loaders note of how pixels are stored: no metadata.
_TECHNICAL = frozenset(
    (
        *("adobe", "adobe_transform", "aspect", "background", "bbox", "blend", "chromaticity"),
        *("compression", "default_image", "disposal", "dpi", "duration", "extension", "gamma"),
        *("interlace", "jfif", "jfif_density", "jfif_unit", "jfif_version", "loop", "progression"),
        *("progressive", "resolution", "srgb", "timestamp", "transparency", "version"),
        *("exif", "icc_profile", "xmp", "XML:com.adobe.xmp"),
    )
)


@dataclass(frozen=True)
class FileTraits:
    """Of one file, by its header.

    Attributes:
        format: one of `FORMATS`.
        width: as stored, pixels.
        height: likewise.
        num_bytes: of the file.
        quality: of a JPEG, estimated, 1 … 100; 0 for others.
        tables: CRC-32 of a JPEG's quantisation tables; 0 for others.
        sampling: place in `SAMPLINGS`.
        is_progressive: a JPEG whose picture comes in passes.
        has_exif: EXIF, the camera's notes.
        has_icc: a colour profile.
        has_xmp: XMP, as editors write it.
        has_others: any metadata else: text, comments, Photoshop's, C2PA.
    """

    format: str
    width: int
    height: int
    num_bytes: int
    quality: int = 0
    tables: int = 0
    sampling: int = 0
    is_progressive: bool = False
    has_exif: bool = False
    has_icc: bool = False
    has_xmp: bool = False
    has_others: bool = False


def read_traits(data: bytes, *, max_pixels: int) -> FileTraits:
    """Read a file's traits. No pixel is decoded.

    Args:
        data: the file's bytes.
        max_pixels: as for `decode`.

    Raises:
        DecodeError: as `decode` does, of what the header shows.
    """
    image = open_image(data, max_pixels=max_pixels)
    info = image.info
    facts: dict[str, Any] = {
        "has_exif": "exif" in info or _EXIF_TAG in getattr(image, "tag_v2", ()),
        "has_icc": "icc_profile" in info,
        "has_xmp": not info.keys().isdisjoint(("xmp", "XML:com.adobe.xmp")),
        "has_others": not info.keys() <= _TECHNICAL,
    }
    kind = image.format or ""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        kind = "JPEG"  # also of one with further pictures behind it
        facts |= _of_jpeg(image)
        facts["has_others"] |= any(name not in _OF_PICTURES for name, _ in image.applist)
    return FileTraits(kind, image.width, image.height, len(data), **facts)


def _of_jpeg(image: Any) -> dict[str, Any]:
    tables = image.quantization
    steps = b"".join(struct.pack(f"<B{len(t)}H", n, *t) for n, t in sorted(tables.items()))
    return {
        "quality": estimate_quality(tables),
        "tables": zlib.crc32(steps) if tables else 0,
        "sampling": 1 + JpegImagePlugin.get_sampling(image) if len(image.layer) == 3 else 0,
        "is_progressive": "progressive" in image.info,
    }


# Format, sampling, quality, yes or no; sides, bytes, tables.
WORDS = struct.Struct("<BBBBIIQI")
_FLAGS = ("is_progressive", "has_exif", "has_icc", "has_xmp", "has_others")


def traits_bytes(traits: FileTraits) -> bytes:
    """Traits on their way out of the decoding process: `WORDS`."""
    flags = sum(getattr(traits, name) << bit for bit, name in enumerate(_FLAGS))
    kind = FORMATS.index(traits.format)
    sides = (traits.width, traits.height)
    return WORDS.pack(
        kind, traits.sampling, traits.quality, flags, *sides, traits.num_bytes, traits.tables
    )


def traits_of(data: bytes) -> FileTraits:
    """Traits from `WORDS` of a decoder that is not trusted.

    Raises:
        ValueError: no file has such ones.
    """
    kind, sampling, quality, flags, width, height, num_bytes, tables = WORDS.unpack(data)
    if kind >= len(FORMATS) or sampling >= len(SAMPLINGS) or quality > 100:
        raise ValueError("unknown traits")
    fit = 0 < min(width, height) <= max(width, height) < 2**31 and 0 < num_bytes < 2**63
    if flags >> len(_FLAGS) or not fit:
        raise ValueError("impossible traits")
    yes = {name: bool(flags >> bit & 1) for bit, name in enumerate(_FLAGS)}
    return FileTraits(FORMATS[kind], width, height, num_bytes, quality, tables, sampling, **yes)
