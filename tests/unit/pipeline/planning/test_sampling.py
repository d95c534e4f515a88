"""A sample is from all over the listing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.pipeline.planning.sampling import sample_rows


def listing(num_rows: int, at_once: int) -> Iterator[Any]:
    for start in range(0, num_rows, at_once):
        places = np.arange(start, min(start + at_once, num_rows))
        yield pa.table({"position": places, "uri": [f"/{place}" for place in places]})


def drawn(num_rows: int, at_once: int, wanted: int, seed: int = 0) -> list[int]:
    rows = sample_rows(listing(num_rows, at_once), wanted, seed)
    places: list[int] = rows["position"].to_pylist()
    assert rows["uri"].to_pylist() == [f"/{place}" for place in places]
    return places


@pytest.mark.parametrize("at_once", [1, 7, 100, 1000])
def test_rows_are_different_and_in_order(at_once: int) -> None:
    places = drawn(100, at_once, 10)
    assert len(places) == 10
    assert places == sorted(set(places))


def test_a_seed_draws_the_same_however_the_listing_is_cut() -> None:
    assert drawn(100, 7, 10) == drawn(100, 100, 10)
    assert drawn(100, 7, 10, seed=1) != drawn(100, 7, 10)


def test_where_there_are_no_more_all_are_taken() -> None:
    assert drawn(5, 2, 10) == list(range(5))


def test_every_part_of_the_listing_has_its_share() -> None:
    counts = np.zeros(10)
    for seed in range(200):
        for place in drawn(100, 9, 20, seed):
            counts[place // 10] += 1
    # 400 expected in each tenth, with a standard deviation of 17.
    assert (abs(counts - 400) < 90).all()
