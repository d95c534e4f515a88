"""Bytes → a decoded Pillow image, or a typed error that says why not; any mode → 8-bit RGB."""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from ufd_ray.errors import DecodeError, ErrorCode

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
"""What is decoded. Pillow's other loaders see no stranger's bytes."""

# Pillow's own bound is a global one that only warns; ours is a parameter, checked before decoding.
Image.MAX_IMAGE_PIXELS = None
# Generators keep whole workflows in a PNG's text; Pillow's 1 MiB a chunk would refuse them.
PngImagePlugin.MAX_TEXT_CHUNK = 16 * 2**20

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"BM")
_GREY_16 = {"I;16": 1, "I;16L": 1, "I;16B": 0}  # mode → offset of a sample's upper byte
# Words of Pillow's loaders for files that are sound, but of a variety that they do not read.
_NOT_HANDLED = re.compile("unknown pixel mode|cannot handle|unsupported bmp", re.IGNORECASE)


def decode(data: bytes, *, max_pixels: int) -> Image.Image:
    """Decode a file's first frame, as stored: EXIF orientation is left alone (paper's protocol).

    Only a TIFF's own orientation tag is followed, since Pillow does so by itself.

    Args:
        data: the file's bytes.
        max_pixels: width × height above which nothing is decoded.

    Returns:
        A loaded image in its own mode; `format` is one of `FORMATS`.

    Raises:
        DecodeError: `empty`, `unsupported`, `corrupt`, `truncated` or `too_many_pixels`.
    """
    return load_image(open_image(data, max_pixels=max_pixels), data)


def open_image(data: bytes, *, max_pixels: int) -> Image.Image:
    """Read a file's header: format, mode, sides. Arguments and errors as for `decode`."""
    if not data:
        raise DecodeError(ErrorCode.EMPTY, "the file has no bytes")
    with _typed_errors(data):
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > max_pixels:
            raise DecodeError(
                ErrorCode.TOO_MANY_PIXELS,
                f"{width}×{height} pixels, more than the allowed {max_pixels} (--max-pixels)",
            )
        return image


def load_image(image: Image.Image, data: bytes) -> Image.Image:
    """Load the pixels of an image that was opened from these bytes; the rest as for `decode`."""
    with _typed_errors(data):
        image.load()
        if image.mode == "P" and image.palette is None:
            raise DecodeError(ErrorCode.CORRUPT, "indexed colours without a palette")
        if image.format == "MPO":  # a JPEG with further pictures behind it
            image.format = "JPEG"
        return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to 8-bit RGB: alpha dropped, palettes resolved, 16 bits cut to the upper 8.

    Raises:
        DecodeError: `unsupported`, for 32-bit samples; `corrupt`, where Pillow cannot convert.
    """
    if image.mode in _GREY_16:
        # Pillow's own conversion saturates at 255; the protocol keeps the upper byte.
        upper = image.tobytes()[_GREY_16[image.mode] :: 2]
        return Image.frombytes("L", image.size, upper).convert("RGB")
    if image.mode in ("I", "F"):
        raise DecodeError(
            ErrorCode.UNSUPPORTED, f"32-bit samples (mode {image.mode}); expected 8 or 16 bits"
        )
    with _typed_errors():
        if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
            image = image.convert("RGBA")  # the way that Pillow asks for; the colours are the same
        return image if image.mode == "RGB" else image.convert("RGB")


@contextmanager
def _typed_errors(data: bytes = b"") -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # What Pillow can decode in spite of odd metadata, we take.
            warnings.simplefilter("ignore")
            yield
    except (DecodeError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        if _has_known_signature(data):
            raise _broken(data, _why_unidentified(data)) from error
        raise DecodeError(
            ErrorCode.UNSUPPORTED,
            f"not an image that is read here: begins with {data[:8]!r}; expected {_expected()}",
        ) from error
    except Exception as error:
        raise _broken(data, str(error) or type(error).__name__) from error


def _why_unidentified(data: bytes) -> str:
    # `Image.open` keeps its loaders' reasons to itself: ask them once more, one by one.
    for kind in FORMATS:
        load, accepts = Image.OPEN[kind]
        if accepts is not None and accepts(data[:16]) is True:
            try:
                load(io.BytesIO(data), "")
            except Exception as error:  # noqa: BLE001 (whatever it is, it is the reason)
                return f"{kind}: {error}"
    return "its header cannot be read"


def _broken(data: bytes, why: str) -> DecodeError:
    if "truncated" in why.lower() or _webp_is_short(data):
        return DecodeError(ErrorCode.TRUNCATED, f"the file ends early: {why}")
    if _NOT_HANDLED.search(why):
        return DecodeError(ErrorCode.UNSUPPORTED, f"a variety that is not read here: {why}")
    return DecodeError(ErrorCode.CORRUPT, why)


def _webp_is_short(data: bytes) -> bool:
    if not (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return False
    (declared,) = struct.unpack("<I", data[4:8])
    return len(data) < int(declared) + 8


def _has_known_signature(data: bytes) -> bool:
    return (
        data.startswith(_SIGNATURES)
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or data[4:12] in (b"ftypavif", b"ftypavis")
    )


def _expected() -> str:
    return ", ".join(FORMATS)
