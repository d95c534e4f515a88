"""How far from a bank an image may be: the rule, and that it holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from ufd_ray.detectors import NeighborSearch, nearest_distances, sum_up, tell_bound
from ufd_ray.detectors.out_of_bank import QUANTILES, place_of, rows_needed


@pytest.mark.parametrize(
    ("quantile", "num", "place"),
    [
        (0.99, 99, 99),
        (0.99, 100, 100),
        (0.99, 198, 198),
        (0.9, 9, 9),
        (0.9, 19, 18),
        (0.5, 1, 1),
        (0.55, 99, 55),
    ],
)
def test_the_place_is_the_one_of_the_rule(quantile: float, num: int, place: int) -> None:
    assert place_of(quantile, num) == place


@given(st.integers(1, 5000), st.sampled_from(QUANTILES))
def test_a_place_covers_what_was_asked_for_or_is_the_last(num: int, quantile: float) -> None:
    place = place_of(quantile, num)
    assert 1 <= place <= num
    assert place == num or place / (num + 1) >= quantile - 1e-12
    assert (place - 1) / (num + 1) < quantile, "a nearer one would do"
    needed = rows_needed(quantile)
    assert (needed is not None and num >= needed) == (place / (num + 1) >= quantile - 1e-12)


def test_distances_are_summed_up() -> None:
    distances = np.random.default_rng(0).permutation(np.arange(1, 1000) / 1000)
    found = sum_up(distances, 0.97, sampled=True)
    assert (found.distance, found.coverage, found.num_rows) == (0.97, 0.97, 999)
    assert (found.quantile, found.sampled) == (0.97, True)
    assert list(found.quantiles) == ["0.5", "0.9", "0.95", "0.99", "0.995", "0.999", "1"]
    assert list(found.quantiles.values()) == [0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.999]
    (line,) = tell_bound(found)
    assert "farther than 0.97" in line
    assert "of a sample of 999 rows, 97 %" in line


def test_too_few_rows_are_told_with_what_they_allow() -> None:
    found = sum_up(np.array([0.25, 0.125, 0.5]), 0.99, sampled=False)
    assert (found.distance, found.coverage) == (0.5, 0.75)
    _, line = tell_bound(found)
    assert "for 0.99 it takes 99 rows: that distance is the largest of 3, and 25 %" in line
    assert len(tell_bound(sum_up(np.array([0.25, 0.5]), 1.0, sampled=False))) == 1


@pytest.mark.parametrize("distances", [[], [0.5, math.nan], [math.inf]])
def test_what_is_no_distance_is_refused(distances: list[float]) -> None:
    with pytest.raises(ValueError, match="have to be finite"):
        sum_up(np.array(distances), 0.5, sampled=False)


def test_the_nearest_is_that_of_either_class() -> None:
    near = nearest_distances(np.array([0.5, math.nan, 0.25]), np.array([0.25, 0.5, 0.5]))
    assert near.tolist() == [0.25, 0.5, 0.25]


def test_of_images_like_the_banks_no_more_are_out_than_was_said() -> None:
    """Over many banks, each tried with one new image: the trials are independent."""
    num_trials, num_rows = 1500, 40
    vectors = np.random.default_rng(7).standard_t(3, size=(num_trials, num_rows + 1, 4))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    distances = 1 - vectors @ vectors.transpose(0, 2, 1)
    distances[:, np.arange(num_rows + 1), np.arange(num_rows + 1)] = np.inf
    new = distances[:, -1, :-1].min(axis=1)
    banks = distances[:, :-1, :-1].min(axis=2)
    for quantile in (0.5, 0.9, 0.97, 0.99):
        for num_searched in (10, num_rows):
            found = [
                sum_up(bank[:num_searched], quantile, sampled=num_searched < num_rows)
                for bank in banks
            ]
            out = int((new > [one.distance for one in found]).sum())
            allowed = 1 - found[0].coverage
            assert allowed <= max(1 - quantile, 1 / (num_searched + 1)) + 1e-12
            assert out <= binom.isf(1e-6, num_trials, allowed), (quantile, num_searched)
            # And it says something: a bound that lets nothing out would be none.
            assert out >= binom.ppf(1e-6, num_trials, allowed / 3), (quantile, num_searched)


def test_unlike_images_are_out() -> None:
    rng = np.random.default_rng(1)
    center = np.eye(8)[0]
    bank = (center + 0.1 * rng.normal(size=(200, 8))).astype(np.float32)
    labels, names = np.arange(200) % 2, [f"{n:032x}" for n in range(200)]
    search = NeighborSearch(bank, labels, names)
    near = search.search(bank, 1, leave_out=np.arange(200))
    within = sum_up(
        nearest_distances(1 - near.real_similarity, 1 - near.fake_similarity), 0.99, sampled=False
    )
    unlike = search.search((np.eye(8)[1:] + 0.1 * rng.normal(size=(7, 8))).astype(np.float32), 1)
    farther = nearest_distances(1 - unlike.real_similarity, 1 - unlike.fake_similarity)
    assert (farther > within.distance).all()
