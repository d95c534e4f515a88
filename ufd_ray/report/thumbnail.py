"""Pixels → a small JPEG. Never from a file's own bytes: what is written is made of numbers."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE, NEIGHBOR_SIDE = 128, 64
"""Sides of a thumbnail, pixels: of an image, and of one of its neighbours."""
MOST_BYTES = {SIDE: 8 * 2**10, NEIGHBOR_SIDE: 2 * 2**10}
_QUALITIES = (80, 60, 40, 25, 15, 8, 4)


def make_thumbnail(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A JPEG of the best of a few qualities at which it is within `MOST_BYTES`, without metadata.

    Args:
        pixels: uint8 (side, side, 3), RGB.

    Raises:
        ValueError: no such side, or no quality is low enough; noise of full contrast still has one.
    """
    most = MOST_BYTES.get(len(pixels))
    if most is None or pixels.shape != (len(pixels), len(pixels), 3):
        raise ValueError(f"thumbnails are squares of {SIDE} or {NEIGHBOR_SIDE} pixels")
    image = Image.fromarray(pixels)
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
        if file.tell() <= most:
            return file.getvalue()
    raise ValueError(f"no JPEG of it within {most:,} bytes")
