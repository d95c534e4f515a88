"""Small photographs, each with bytes of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

_SIDE = 240


def many_pictures(number: int) -> Iterator[bytes]:
    """JPEGs: crops of two photographs, a few of them twice."""
    photographs = load_sample_images().images
    draws = np.random.default_rng(0)
    earlier = b""
    for count in range(number):
        photograph = photographs[count % 2]
        top, left = (draws.integers(0, side - _SIDE) for side in photograph.shape[:2])
        if count % 50 == 49:
            yield earlier
            continue
        sink = io.BytesIO()
        crop = photograph[top : top + _SIDE, left : left + _SIDE]
        Image.fromarray(crop).save(sink, "JPEG", quality=90)
        earlier = sink.getvalue()
        yield earlier
