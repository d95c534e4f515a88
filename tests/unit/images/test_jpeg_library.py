from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.images.jpegs import HEIGHT, WIDTH, rows_of, varieties
from ufd_ray.images import jpeg_library as module
from ufd_ray.images.jpeg_library import jpeg_library, jpeg_part

VARIETIES = {
    name: data
    for name, data in varieties().items()
    if name in ("4:2:0", "4:1:1", "progressive 4:2:2", "grey", "its first 2 scans")
}
BOXES = (
    (0, 0, 1, 1),
    (0, 0, WIDTH, HEIGHT),
    (300, 200, WIDTH, HEIGHT),
    (97, 97, 98, 98),
    (203, 131, 290, 211),
    (WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT),
)
library: Any = jpeg_library()
pytestmark = pytest.mark.skipif(
    library is None, reason="this Pillow is linked to no libjpeg-turbo of its own"
)


@pytest.mark.parametrize("name", VARIETIES)
def test_a_part_is_the_wholes_wherever_it_lies(name: str) -> None:
    whole = rows_of(VARIETIES[name])
    bands = 1 if whole.ndim == 2 else 3
    for left, top, right, bottom in BOXES:
        part = jpeg_part(library, VARIETIES[name], (left, top, right, bottom), WIDTH, bands)
        assert part is not None
        assert np.array_equal(part, whole[top:bottom, left:right])


@pytest.mark.parametrize(
    ("box", "width", "bands"),
    [
        ((0, 0, 8, 8), WIDTH, 1),
        ((0, 0, 8, HEIGHT + 1), WIDTH, 3),
        ((0, 0, 8, 8), WIDTH - 1, 3),
        ((0, 0, WIDTH + 1, 8), WIDTH + 1, 3),
    ],
)
def test_where_sides_or_colours_are_others_nothing_is_made(
    box: tuple[int, int, int, int], width: int, bands: int
) -> None:
    assert jpeg_part(library, VARIETIES["4:2:0"], box, width, bands) is None


@pytest.mark.parametrize(("name", "other"), [("_VERSION", 80), ("_STRUCT_BYTES", 656)])
def test_another_version_does_not_fit(
    name: str, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, other)
    jpeg_library.cache_clear()
    assert jpeg_library() is None
    monkeypatch.undo()
    jpeg_library.cache_clear()
    assert jpeg_library() is not None
