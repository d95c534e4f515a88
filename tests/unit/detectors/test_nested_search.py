from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.detectors.search_cases import cone, names
from ufd_ray.detectors import NeighborSearch, NestedSearch

Bank = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.str_]]
RNG = np.random.default_rng(5)


@pytest.fixture
def bank() -> Bank:
    vectors = cone(RNG, 90, 16, 0.6)
    vectors[60:70] = vectors[:10]  # ties across the parts, which only label and name decide
    return vectors, RNG.integers(0, 2, 90), names(RNG, 90)


def test_each_part_is_found_as_if_it_were_alone(bank: Bank) -> None:
    vectors, labels, ids = bank
    queries = np.concatenate([cone(RNG, 20, 16, 0.6), vectors[:10]])
    sizes = [2, 7, 64, 90]
    found = NestedSearch(vectors, labels, ids, sizes).search(queries, 9, per_class=5)
    for size, near in zip(sizes, found, strict=True):
        alone = NeighborSearch(vectors[:size], labels[:size], ids[:size])
        expected = alone.search(queries, min(9, size), per_class=5)
        assert np.array_equal(near.index, expected.index)
        assert np.array_equal(near.similarity, expected.similarity)
        same = (near.class_similarity, expected.class_similarity)
        assert np.array_equal(*same, equal_nan=True)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([], "sizes have to rise"),
        ([0, 90], "sizes have to rise"),
        ([9, 9, 90], "sizes have to rise"),
        ([9, 80], "the last size is 80, and there are 90 rows"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(bank: Bank, sizes: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NestedSearch(*bank, sizes)
