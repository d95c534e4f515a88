from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import binom, binomtest

from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import (
    Interval,
    accuracy_interval,
    average_precision,
    average_precision_interval,
)


def verdicts(num_right: int, num: int) -> NDArray[np.bool_]:
    return np.arange(num) < num_right


def width(interval: Interval) -> float:
    return interval.high - interval.low


@pytest.mark.parametrize(("num_right", "num"), [(0, 1), (1, 1), (0, 20), (17, 20), (990, 1000)])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_independent_images_have_the_exact_interval(
    num_right: int, num: int, confidence: float
) -> None:
    found = accuracy_interval(verdicts(num_right, num), confidence=confidence)
    exact = binomtest(num_right, num).proportion_ci(confidence, method="exact")
    assert found.estimate == num_right / num
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.parametrize("num", [20, 50, 200])
def test_it_covers_at_the_stated_confidence(num: int) -> None:
    """Not simulated but summed over all outcomes."""
    intervals = [accuracy_interval(verdicts(k, num)) for k in range(num + 1)]
    for truth in (0.5, 0.75, 0.9, 0.97):
        held = [i.low <= truth <= i.high for i in intervals]
        covered = binom.pmf(np.arange(num + 1), num, truth) @ held
        assert 0.95 <= covered < 0.995


def test_groups_of_one_are_nearly_no_groups() -> None:
    right = verdicts(80, 100)
    alone = accuracy_interval(right)
    grouped = accuracy_interval(right, groups=np.arange(100))
    assert grouped.estimate == alone.estimate
    assert 1 < width(grouped) / width(alone) < 1.02  # 99 degrees of freedom


def test_copies_of_an_image_tell_nothing_new() -> None:
    groups = np.repeat(np.arange(40), 25)
    copies = accuracy_interval(verdicts(30, 40)[groups], groups=groups)
    once = accuracy_interval(verdicts(30, 40), groups=np.arange(40))
    assert copies.estimate == once.estimate
    assert 1 <= width(copies) / width(once) < 1.05
    assert width(copies) > 3 * width(accuracy_interval(verdicts(30, 40)[groups]))


def test_few_groups_say_little() -> None:
    right = verdicts(50, 50)
    one = accuracy_interval(right, groups=np.zeros(50))
    assert one == Interval(1.0, 0.0, 1.0)
    two = accuracy_interval(right, groups=np.repeat(["a", "b"], 25))
    assert two.low < 0.2
    five = accuracy_interval(right, groups=np.repeat(np.arange(5), 10))
    assert five == accuracy_interval(verdicts(5, 5))
    # Six and four of ten: that two sources differ by so little may well be chance.
    near = np.concatenate([verdicts(30, 50), verdicts(20, 50)])
    assert width(accuracy_interval(near, groups=np.repeat([1, 2], 50))) > 0.9


@pytest.mark.parametrize("num_groups", [10, 20, 50])
def test_sources_that_differ_are_covered(num_groups: int) -> None:
    """Accuracies of sources spread around 0.8 by 0.13; the interval is about further sources."""
    rng = np.random.default_rng(num_groups)
    grouped, naive = 0, 0
    for _ in range(400):
        of_source = rng.beta(7.2, 1.8, num_groups)
        groups = np.repeat(np.arange(num_groups), rng.integers(5, 30, num_groups))
        right = rng.random(len(groups)) < of_source[groups]
        found, alone = accuracy_interval(right, groups=groups), accuracy_interval(right)
        grouped += found.low <= 0.8 <= found.high
        naive += alone.low <= 0.8 <= alone.high
    assert grouped / 400 > 0.91
    assert naive / 400 < 0.8


def cross_validated(
    rng: np.random.Generator, num: int, dim: int, distance: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], float, float]:
    """Labels, held-out scores, and the true accuracy and AP of a linear fit on all images."""
    labels = np.arange(num) % 2
    apart = np.zeros(dim)
    apart[:5] = distance / math.sqrt(5)
    rows = rng.normal(size=(num, dim)) + labels[:, None] * apart
    folds = np.empty(num, int)
    for label in (0, 1):
        own = rng.permutation(np.flatnonzero(labels == label))
        folds[own] = np.arange(len(own)) % 5
    scores = np.empty(num)
    for fold in range(5):
        weight, bias = ridge(rows[folds != fold], labels[folds != fold])
        scores[folds == fold] = rows[folds == fold] @ weight + bias
    weight, bias = ridge(rows, labels)
    size = float(np.linalg.norm(weight))
    accuracy = (ndtr(-bias / size) + ndtr((apart @ weight + bias) / size)) / 2
    fresh = rng.normal(size=4000) * size + (np.arange(4000) % 2) * (apart @ weight)
    return labels, scores, float(accuracy), average_precision(np.arange(4000) % 2, fresh)


def ridge(
    rows: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    mean, target = rows.mean(axis=0), 2.0 * labels - 1
    centered = rows - mean
    gram = centered.T @ centered + 5 * np.eye(rows.shape[1])
    weight = np.linalg.solve(gram, centered.T @ target)
    return weight, float(target.mean() - mean @ weight)


@pytest.mark.parametrize("num", [20, 50, 200])
def test_figures_of_a_cross_validation_are_covered(num: int) -> None:
    rng = np.random.default_rng(num)
    held = {"accuracy": 0, "naive": 0, "average precision": 0}
    rounds = 0
    for dim in (10, 50):
        for distance in (0.5, 1.5, 3.0):
            for _ in range(25):
                labels, scores, accuracy, precision = cross_validated(rng, num, dim, distance)
                right = (scores > 0) == (labels == 1)
                found = accuracy_interval(right, num_folds=5)
                naive = accuracy_interval(right)
                ranked = average_precision_interval(labels, scores, num_folds=5, num_draws=40)
                held["accuracy"] += found.low <= accuracy <= found.high
                held["naive"] += naive.low <= accuracy <= naive.high
                held["average precision"] += ranked.low <= precision <= ranked.high
                rounds += 1
    assert held["accuracy"] / rounds > 0.96
    assert held["average precision"] / rounds > 0.95
    assert held["naive"] / rounds < 0.95


@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize("num", [20, 50, 200])
def test_average_precision_is_covered(num: int, share: float) -> None:
    rng = np.random.default_rng(num)
    many = (np.arange(200_000) < share * 200_000).astype(int)
    labels = (np.arange(num) < share * num).astype(int)
    held = 0
    for distance in (0.0, 1.0, 2.5):
        truth = average_precision(many, rng.normal(size=len(many)) + distance * many)
        for _ in range(80):
            scores = rng.normal(size=num) + distance * labels
            found = average_precision_interval(labels, scores, num_draws=60)
            assert 0 <= found.low <= found.estimate <= found.high <= 1
            held += found.low <= truth <= found.high
    assert held / 240 > 0.92


def test_average_precision_counts_sources() -> None:
    rng = np.random.default_rng(0)
    labels, groups = np.repeat([0, 1], 200), np.repeat(np.arange(20), 20)
    of_source = rng.normal(size=20)
    scores = labels + of_source[groups] + 0.3 * rng.normal(size=400)
    alone = average_precision_interval(labels, scores)
    grouped = average_precision_interval(labels, scores, groups=groups)
    assert grouped.estimate == alone.estimate == average_precision(labels, scores)
    assert width(grouped) > 2.5 * width(alone)
    by_class = average_precision_interval(labels, scores, groups=labels)
    assert by_class == Interval(alone.estimate, 0.0, 1.0)


def test_perfect_ranking_still_has_an_interval() -> None:
    labels = np.repeat([0, 1], [10, 5])
    found = average_precision_interval(labels, labels.astype(float))
    assert found.high == found.estimate == 1
    assert found.low <= accuracy_interval(verdicts(5, 5)).low


def test_the_seed_decides_and_more_confidence_is_wider() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [50, 10])
    scores = rng.normal(size=60) + labels
    first = average_precision_interval(labels, scores)
    assert average_precision_interval(labels, scores) == first
    assert average_precision_interval(labels, scores, seed=1) != first
    measure: Callable[[float], float] = lambda c: width(  # noqa: E731
        average_precision_interval(labels, scores, confidence=c)
    )
    assert measure(0.5) < measure(0.9) < measure(0.99)


def test_what_has_no_interval_is_refused() -> None:
    right, labels, scores = verdicts(3, 4), np.array([0, 0, 1, 1]), np.arange(4.0)
    with pytest.raises(SettingsError, match="at least one image"):
        accuracy_interval(verdicts(0, 0))
    for confidence in (0.0, 1.0, math.nan):
        with pytest.raises(SettingsError, match="between 0 and 1"):
            accuracy_interval(right, confidence=confidence)
        with pytest.raises(SettingsError, match="between 0 and 1"):
            average_precision_interval(labels, scores, confidence=confidence)
    with pytest.raises(ValueError, match="equally long"):
        accuracy_interval(right, groups=np.zeros(3))
    with pytest.raises(ValueError, match="two folds at least, got 1"):
        accuracy_interval(right, num_folds=1)
    with pytest.raises(SettingsError, match="got 4 real and 0 fake"):
        average_precision_interval(np.zeros(4, int), scores)
