"""Votes and margins: what neighbours say of their query."""

from __future__ import annotations

import math
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.detectors.search_cases import brute_force, cone, names
from ufd_ray.detectors import NeighborSearch, margin, mean_margin, vote


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), values=st.integers(1, 3))
def test_at_k_1_the_vote_is_the_sign_of_the_margin(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    # Few small integers: many rows of both classes lie in exactly the same direction.
    bank = rng.integers(-values, values + 1, size=(60, 3)).astype(np.float32)
    bank[~bank.any(axis=1)] = 1
    labels, ids = rng.integers(0, 2, 60), names(rng, 60)
    labels[:2] = 0, 1
    found = NeighborSearch(bank, labels, ids).search(bank[rng.permutation(60)], 1)
    np.testing.assert_array_equal(vote(found, labels) == 1, margin(found) > 0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    counts=st.tuples(st.integers(0, 12), st.integers(1, 12)),
    k=st.integers(1, 9),
    tied=st.booleans(),
)
def test_a_margin_of_means_is_that_of_all_similarities(
    seed: int, counts: tuple[int, int], k: int, tied: bool
) -> None:
    rng = np.random.default_rng(seed)
    num = sum(counts)
    if tied:  # few small integers
        bank = rng.integers(-2, 3, size=(num, 3)).astype(np.float32)
        bank[~bank.any(axis=1)] = 1
    else:
        bank = cone(rng, num, 16, 0.8)
    labels, ids = rng.permutation(np.repeat([0, 1], counts)), names(rng, num)
    queries = np.concatenate([bank, bank[::-1] + bank])
    queries[~queries.any(axis=1)] = 1
    found = NeighborSearch(bank, labels, ids).search(queries, 0, per_class=9)
    whole = brute_force(bank, labels, ids, queries, num)
    expected = []
    for index, similarity in zip(whole.index, whole.similarity, strict=True):
        near = [similarity[labels[index] == label][:k].tolist() for label in (0, 1)]
        real, fake = (reduce(add, some) / len(some) if some else math.nan for some in near)
        expected.append(fake - real)
    np.testing.assert_array_equal(mean_margin(found, k), np.array(expected, np.float32))
    np.testing.assert_array_equal(mean_margin(found, 1), margin(found))


def test_of_a_small_class_the_mean_is_over_all_of_it() -> None:
    bank = np.array([[1, 0], [0, 1], [3, 4]], np.float32)
    search = NeighborSearch(bank, np.array([0, 1, 1]), list("abc"))
    found = search.search(np.array([[2, 0]], np.float32), 1, per_class=3)
    np.testing.assert_array_equal(np.isnan(found.class_similarity[:, 0]).sum(axis=1), [2, 1])
    for k, expected in ((1, 0.6 - 1), (2, 0.6 / 2 - 1), (3, 0.6 / 2 - 1)):
        assert mean_margin(found, k).tolist() == pytest.approx([expected])
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"from 1 to the 3 of each class, but is {k}"):
            mean_margin(found, k)
    with pytest.raises(ValueError, match="per_class must be at least 1, but is 0"):
        search.search(bank, 1, per_class=0)


def test_vote_and_margin() -> None:
    bank = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
    labels = np.array([0, 1, 1], np.int8)
    search = NeighborSearch(bank, labels, ["a", "b", "c"])
    found = search.search(np.array([[1, 0], [0.1, 1]], np.float16), 3)
    assert vote(found, labels).tolist() == [np.float32(2 / 3)] * 2
    assert vote(found, labels).dtype == margin(found).dtype == np.float32
    cosine = 1 / math.sqrt(1.01)
    assert margin(found)[0] == pytest.approx(cosine - 1, rel=1e-6)
    assert margin(found)[1] == pytest.approx(cosine - 0.1 * cosine, rel=1e-3)  # 0.1 in float16
