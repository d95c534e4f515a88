from __future__ import annotations

import numpy as np
import pytest

from ufd_ray.report import SIDE, draw_heat, make_thumbnail


@pytest.mark.parametrize("size", [32, 299])
def test_what_looks_generated_is_yellow_where_it_is(size: int) -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 3] = 1.0  # top right
    drawn = draw_heat(np.full((size, size, 3), 128, np.uint8), heat).astype(int)
    assert drawn.shape == (SIDE, SIDE, 3)
    quarter = SIDE // 4
    hot = np.zeros((SIDE, SIDE), bool)
    hot[:quarter, -quarter:] = True
    red, _, blue = np.moveaxis(drawn, 2, 0)
    assert ((red > blue) == hot).all()
    assert make_thumbnail(drawn.astype(np.uint8))


def test_the_image_is_still_to_be_seen() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 255
    drawn = draw_heat(pixels, np.full((2, 2), 0.5, np.float32)).astype(int)
    assert (drawn[:, SIDE // 2 :] - drawn[:, : SIDE // 2] > 50).all()
