"""JPEGs of every variety that has to do with which rows are decoded."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from tests.unit.images.samples import encoded, noise, picture

WIDTH, HEIGHT = 411, 331
SCAN, END = b"\xff\xda", b"\xff\xd9"


def smooth(mode: str = "RGB", width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Soft noise: unlike flat colours it has something in every block, and unlike hard noise
    something for those steps that look at neighbouring blocks.
    """
    channels = len(Image.new(mode, (1, 1)).getbands())
    soft = [
        Image.fromarray(noise(width // 7, height // 7, channels=1, seed=seed))
        for seed in range(channels)
    ]
    bands = [band.resize((width, height), Image.Resampling.BICUBIC) for band in soft]
    return bands[0] if mode == "L" else Image.merge(mode, bands)


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    """Soft noise as a JPEG; options as for Pillow."""
    return encoded(smooth(mode), "JPEG", **options)


def varieties() -> dict[str, bytes]:
    """Sound files, by a name for test ids."""
    sampled = {f"4:{name}": jpeg(subsampling=f"4:{name}") for name in ("4:4", "2:2", "2:0")}
    progressive = {
        f"progressive 4:{name}": jpeg(progressive=True, subsampling=f"4:{name}")
        for name in ("4:4", "2:2", "2:0")
    }
    exif = Image.Exif()
    exif[0x0112] = 6
    ycck = bytearray(jpeg("CMYK"))
    ycck[ycck.index(b"Adobe") + 11] = 2
    further = {"save_all": True, "append_images": [picture()]}
    return (
        sampled
        | progressive
        | {
            "4:4:0": resampled(sampled["4:2:2"], 0x12),
            "4:1:1": resampled(sampled["4:2:0"], 0x41),
            "four rows of colours in one": resampled(sampled["4:2:0"], 0x14),
            "progressive 4:4:0": resampled(progressive["progressive 4:2:2"], 0x12),
            "progressive 4:1:1": resampled(progressive["progressive 4:2:0"], 0x41),
            "progressive, four rows of colours in one": resampled(
                progressive["progressive 4:2:0"], 0x14
            ),
            "grey": jpeg("L"),
            "progressive grey": jpeg("L", progressive=True),
            "grey, declared 4:2:0": resampled(jpeg("L"), 0x22),
            "cmyk": jpeg("CMYK"),
            "progressive cmyk": jpeg("CMYK", progressive=True),
            "ycck": bytes(ycck),
            "restarts": jpeg(restart_marker_blocks=3),
            "restarts, progressive": jpeg(restart_marker_rows=1, progressive=True),
            "rgb, not ycc": jpeg(keep_rgb=True),
            "turned": jpeg(exif=exif),
            "with a profile and a comment": jpeg(icc_profile=bytes(70_000), comment=b"\xff\xd9"),
            "mpo": encoded(smooth(), "MPO", **further),
            "coarse": jpeg(quality=5, optimize=True),
            "fine": jpeg(quality=100, subsampling=0),
            "rubbish behind its end": jpeg() + noise(30, 30).tobytes(),
        }
        | {
            f"its first {num} scans": without_scans(progressive["progressive 4:2:0"], num)
            for num in range(1, 10)
        }
    )


def resampled(data: bytes, factors: int) -> bytes:
    """The same blocks, taken for others: the first component's sampling factors are replaced.

    The file stays whole where as many blocks are coded together as before.
    """
    at = frame_at(data) + 11
    return data[:at] + bytes([factors]) + data[at + 1 :]


def without_scans(data: bytes, num_kept: int) -> bytes:
    """A progressive file with its first scans alone."""
    at = -1
    for _ in range(num_kept + 1):
        at = data.index(SCAN, at + 1)
    return data[:at] + END


def frame_at(data: bytes) -> int:
    """Where the frame header begins."""
    return max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))


def last_scan_at(data: bytes) -> int:
    """Where the last scan begins."""
    return data.rindex(SCAN)


def rows_of(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pillow's pixels (height, width[, channels])."""
    return np.asarray(Image.open(io.BytesIO(data), formats=("JPEG",)))


# Pillow's buffer for a progressive file of noise may else be too small for it.
ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 2**20)
