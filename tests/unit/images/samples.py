"""Small files of every kind that the tests decode, made by Pillow or by hand."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def noise(width: int, height: int, *, channels: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Random bytes (height, width, channels); without the last axis for one channel."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(width: int = 40, height: int = 30, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture of noise in any of Pillow's modes."""
    if mode == "I;16":
        samples = np.random.default_rng(seed).integers(0, 2**16, (height, width), dtype=np.uint16)
        return Image.fromarray(samples)
    if mode == "P":
        indices = noise(width, height, channels=1, seed=seed)
        image = Image.frombytes("P", (width, height), indices.tobytes())
        image.putpalette(np.random.default_rng(seed + 1).integers(0, 256, 768).tolist())
        return image
    if mode in ("RGBA", "CMYK"):
        return Image.frombytes(mode, (width, height), noise(width, height, channels=4).tobytes())
    if mode == "LA":
        return Image.frombytes("LA", (width, height), noise(width, height, channels=2).tobytes())
    rgb = Image.fromarray(noise(width, height, seed=seed))
    return rgb if mode == "RGB" else rgb.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file of that kind."""
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def png(
    width: int,
    height: int,
    *,
    bit_depth: int,
    color_type: int,
    rows: bytes,
    before_data: bytes = b"",
) -> bytes:
    """A PNG written by hand: `rows` are the samples, row after row, without filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
    stride = len(rows) // height if height and rows else 0
    filtered = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height) if rows)
    return b"".join(
        (
            PNG_SIGNATURE,
            chunk(b"IHDR", header),
            before_data,
            chunk(b"IDAT", zlib.compress(filtered, 9)),
            chunk(b"IEND", b""),
        )
    )


def tiff(
    samples: npt.NDArray[Any], *, byte_order: str = "<", tags: dict[int, int] | None = None
) -> bytes:
    """An uncompressed TIFF of one grey strip, in either byte order.

    Args:
        samples: (height, width); its dtype gives bits and sample format.
        byte_order: `<` or `>`.
        tags: further SHORT tags, or others in place of ours.
    """
    height, width = samples.shape
    data = samples.astype(samples.dtype.newbyteorder(byte_order)).tobytes()
    format_of = {"u": 1, "i": 2, "f": 3}
    entries = {
        256: width,
        257: height,
        258: samples.dtype.itemsize * 8,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(data),
        339: format_of[samples.dtype.kind],
    } | (tags or {})
    directory = struct.pack(byte_order + "H", len(entries))
    for tag, value in sorted(entries.items()):
        directory += struct.pack(byte_order + "HHII", tag, 4, 1, value)
    head = (b"II*\0" if byte_order == "<" else b"MM\0*") + struct.pack(
        byte_order + "I", 8 + len(data)
    )
    return head + data + directory + struct.pack(byte_order + "I", 0)


def every_kind() -> dict[str, bytes]:
    """A small file for each loader and mode that matters, by a name for test ids."""
    small = picture(20, 15)
    grey16 = picture(20, 15, "I;16")
    frames = [picture(20, 15, seed=seed) for seed in range(3)]
    alpha_bytes = bytes(range(255, -1, -1))
    animated = {"save_all": True, "append_images": frames[1:]}
    return {
        "jpeg": encoded(small, "JPEG"),
        "jpeg-progressive": encoded(small, "JPEG", progressive=True),
        "jpeg-grey": encoded(small.convert("L"), "JPEG"),
        "jpeg-cmyk": encoded(picture(20, 15, "CMYK"), "JPEG"),
        "mpo": encoded(frames[0], "MPO", **animated),
        "png": encoded(small, "PNG"),
        "png-alpha": encoded(picture(20, 15, "RGBA"), "PNG"),
        "png-grey-alpha": encoded(picture(20, 15, "LA"), "PNG"),
        "png-palette": encoded(picture(20, 15, "P"), "PNG"),
        "png-palette-bytes": encoded(picture(20, 15, "P"), "PNG", transparency=alpha_bytes),
        "png-palette-index": encoded(picture(20, 15, "P"), "PNG", transparency=7),
        "png-grey-transparent": encoded(small.convert("L"), "PNG", transparency=7),
        "png-rgb-transparent": encoded(small, "PNG", transparency=(1, 2, 3)),
        "png-1-bit": encoded(small.convert("1"), "PNG"),
        "png-16-bit": encoded(grey16, "PNG"),
        "apng": encoded(frames[0], "PNG", **animated),
        "webp": encoded(small, "WEBP"),
        "webp-lossless": encoded(picture(20, 15, "RGBA"), "WEBP", lossless=True),
        "webp-animated": encoded(frames[0], "WEBP", **animated),
        "gif": encoded(small, "GIF"),
        "gif-animated": encoded(frames[0], "GIF", **animated, loop=0),
        "avif": encoded(small, "AVIF"),
        "bmp": encoded(small, "BMP"),
        "bmp-palette": encoded(picture(20, 15, "P"), "BMP"),
        "tiff": encoded(small, "TIFF"),
        "tiff-deflate": encoded(small, "TIFF", compression="tiff_deflate"),
        "tiff-jpeg": encoded(small, "TIFF", compression="jpeg"),
        "tiff-group-4": encoded(small.convert("1"), "TIFF", compression="group4"),
        "tiff-16-bit": encoded(grey16, "TIFF"),
        "tiff-lab": encoded(small.convert("RGB"), "TIFF") if False else encoded(lab(small), "TIFF"),
    }


def lab(image: Image.Image) -> Image.Image:
    """The same bytes taken for L*a*b*."""
    return Image.frombytes("LAB", image.size, image.tobytes())
