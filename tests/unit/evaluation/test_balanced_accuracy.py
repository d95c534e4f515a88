"""The interval for the mean of both classes' accuracies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import Interval, balanced_accuracy_interval


def interval(right_real: int, num_real: int, right_fake: int, num_fake: int) -> Interval:
    right = np.concatenate([np.arange(num_real) < right_real, np.arange(num_fake) < right_fake])
    return balanced_accuracy_interval(right, np.repeat([0, 1], [num_real, num_fake]))


def test_classes_weigh_alike() -> None:
    assert interval(90, 100, 3, 10).estimate == pytest.approx((0.9 + 0.3) / 2)


def test_where_all_are_right_it_is_the_exact_one_of_all_images() -> None:
    exact = binomtest(60, 60).proportion_ci(0.95, method="exact")
    found = interval(30, 30, 30, 30)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    # A large class makes up for little where the other one is small.
    assert interval(3000, 3000, 30, 30).low < interval(60, 60, 60, 60).low


def test_it_is_as_wide_as_a_bootstrap_of_each_class() -> None:
    drawn = np.random.default_rng(0).binomial([200, 100], [0.9, 0.6], (4000, 2)) / [200, 100]
    spread = drawn.mean(axis=1).std()
    found = interval(180, 200, 60, 100)
    assert (found.high - found.low) / (2 * 1.96 * spread) == pytest.approx(1.02, abs=0.05)


@pytest.mark.parametrize("truths", [(0.5, 0.5), (0.9, 0.6), (0.99, 0.7), (0.97, 0.97)])
def test_it_covers_at_the_stated_confidence(truths: tuple[float, float]) -> None:
    """Not simulated but summed over all outcomes."""
    each = (30, 20)
    mean, covered = sum(truths) / 2, 0.0
    chances = [binom.pmf(np.arange(n + 1), n, p) for n, p in zip(each, truths, strict=True)]
    for real in range(each[0] + 1):
        for fake in range(each[1] + 1):
            found = interval(real, each[0], fake, each[1])
            if found.low <= mean <= found.high:
                covered += chances[0][real] * chances[1][fake]
    assert 0.95 <= covered < 0.999


def test_one_image_of_a_class_says_nothing() -> None:
    assert interval(1, 1, 5, 9) == Interval((1 + 5 / 9) / 2, 0.0, 1.0)


def test_what_cannot_be_is_refused() -> None:
    right = np.ones(2, bool)
    with pytest.raises(ValueError, match="both be there"):
        balanced_accuracy_interval(right, np.array([1, 1]))
    with pytest.raises(ValueError, match="both be there"):
        balanced_accuracy_interval(np.ones(3, bool), np.array([0, 1, 2]))
    with pytest.raises(SettingsError, match="confidence"):
        balanced_accuracy_interval(right, np.array([0, 1]), confidence=1.0)
