"""The stage that sums up spectra: by set and class, without what failed or is too small."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.images import Alignment, SpectrumSums
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.pipeline.evaluating.spectra import _sums_of, sum_spectra

SIZE = 16
PIXELS = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)
ROWS = pa.table(
    {
        TEST_SET: ["a", "a", "b", "a", "a", "c"],
        "label": pa.array([0, 1, 1, 0, 0, 1], pa.int8()),
        "width": [20, SIZE, 99, 30, SIZE - 1, None],
        "height": [20, 40, 99, SIZE, 50, None],
        "pixels": pa.array([*(one.tobytes() for one in PIXELS), None], pa.large_binary()),
    }
)


def test_sums_are_by_set_and_class() -> None:
    rows = sum_spectra(ROWS, size=SIZE, alignment=None).to_pylist()
    found = {(row[TEST_SET], row["label"]): _sums_of(row, SIZE) for row in rows}
    expected = {("a", 0): [0, 3], ("a", 1): [1], ("b", 1): [2]}
    assert found.keys() == expected.keys()
    for stratum, places in expected.items():
        sums = SpectrumSums.of(PIXELS[places])
        assert found[stratum].num_images == len(places)
        assert np.array_equal(found[stratum].of_mean(), sums.of_mean())
        assert np.array_equal(found[stratum].mean_of(), sums.mean_of())
    assert [row["num_small"] for row in rows] == [1, 0, 0]


@pytest.mark.parametrize(("side", "num_images"), [(SIZE - 1, 0), (SIZE, 4)])
def test_what_was_aligned_to_less_has_a_frame(side: int, num_images: int) -> None:
    rows = sum_spectra(ROWS, size=SIZE, alignment=Alignment(side, 95)).to_pylist()
    assert sum(row["num_images"] for row in rows) == num_images
    assert sum(row["num_small"] for row in rows) == 5 - num_images
