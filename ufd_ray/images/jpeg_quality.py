"""The quality that a JPEG was saved at, as far as its quantisation tables tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

# ITU-T T.81, Annex K, Table K.1: luminance, row by row.
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)


def estimate_quality(tables: Mapping[int, Sequence[int]]) -> int:
    """The quality on libjpeg's scale whose luminance table is nearest.

    Args:
        tables: of 64 steps each, in the order of rows, by their number in the file.

    Returns:
        1 … 100; 0 where there is no table to judge by. Cameras and editors have tables of their
        own: of these it says how coarse they are.
    """
    steps = tables[min(tables)] if tables else ()
    if len(steps) != len(_LUMINANCE):
        return 0
    apart = np.abs(_scaled() - np.asarray(steps, np.int64)).sum(axis=1)
    return 1 + int(apart.argmin())


@cache
def _scaled() -> npt.NDArray[np.int64]:
    """The tables of qualities 1 … 100, (100, 64), in libjpeg's arithmetic."""
    quality = np.arange(1, 101)[:, None]
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled: npt.NDArray[np.int64] = (np.array(_LUMINANCE) * percent + 50) // 100
    return scaled.clip(1, 255)
