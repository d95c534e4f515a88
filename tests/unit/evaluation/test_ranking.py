"""Ranking figures against their definitions, counted out over pairs and over all thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import accuracy_at, oracle_threshold, roc_auc, tpr_at_fpr

LABELS = st.lists(st.integers(0, 1), min_size=2, max_size=60).filter(lambda x: len(set(x)) == 2)
LEVELS = st.sampled_from([1, 2, 5, 1000])
"""So few different scores that most are ties."""
SEEDS = st.integers(0, 2**32 - 1)


def drawn(
    labels: list[int], seed: int, levels: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    numbers = np.random.default_rng(seed).integers(0, levels, len(labels)) / levels
    return np.array(labels, np.int8), numbers.astype(np.float32)


def all_thresholds(scores: NDArray[np.float32]) -> list[float]:
    """One for every way in which a threshold can part these scores."""
    return [-np.inf, *np.unique(scores).astype(np.float64)]


@given(labels=LABELS, seed=SEEDS, levels=LEVELS)
def test_auc_is_the_share_of_pairs_in_order(labels: list[int], seed: int, levels: int) -> None:
    truth, scores = drawn(labels, seed, levels)
    fakes, reals = scores[truth == 1][:, None], scores[truth == 0]
    expected = np.mean((fakes > reals) + 0.5 * (fakes == reals))
    assert roc_auc(truth, scores) == pytest.approx(expected)


@given(labels=LABELS, seed=SEEDS, levels=LEVELS, bound=st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]))
def test_tpr_is_the_best_of_all_thresholds_within_the_bound(
    labels: list[int], seed: int, levels: int, bound: float
) -> None:
    truth, scores = drawn(labels, seed, levels)
    fakes, reals = scores[truth == 1], scores[truth == 0]
    expected = max(
        np.mean(fakes > at) for at in all_thresholds(scores) if np.mean(reals > at) <= bound
    )
    assert tpr_at_fpr(truth, scores, bound) == pytest.approx(expected)


@given(labels=LABELS, seed=SEEDS, levels=LEVELS, default=st.floats(-1, 2))
def test_the_oracle_is_the_best_of_all_thresholds(
    labels: list[int], seed: int, levels: int, default: float
) -> None:
    truth, scores = drawn(labels, seed, levels)

    def mean_accuracy(threshold: float) -> float:
        found = accuracy_at(truth, scores, threshold)
        return (found.real + found.fake) / 2

    best = max(map(mean_accuracy, all_thresholds(scores)))
    assert mean_accuracy(oracle_threshold(truth, scores, default)) == pytest.approx(best, abs=1e-12)
    assert best >= mean_accuracy(default)


def test_one_in_a_hundred_is_within_one_per_cent() -> None:
    labels = np.array([0] * 100 + [1] * 2)
    scores = np.array([0.9] + [0.1] * 99 + [0.8, 0.95])
    assert tpr_at_fpr(labels, scores, 0.01) == 1.0
    assert tpr_at_fpr(labels[1:], scores[1:], 0.01) == 1.0
    assert tpr_at_fpr(np.append(labels, 0), np.append(scores, 0.85), 0.01) == 0.5


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 0], [0.1, 0.2], "got 2 real and 0 fake"),
        ([0, 1], [0.1, np.nan], "1 of 2 scores are NaN or infinite"),
    ],
)
def test_figures_that_mean_nothing_are_refused(
    labels: list[int], scores: list[float], message: str
) -> None:
    truth, values = np.array(labels, np.int8), np.array(scores)
    for figure in (
        lambda: roc_auc(truth, values),
        lambda: tpr_at_fpr(truth, values, 0.01),
        lambda: oracle_threshold(truth, values, 0.5),
    ):
        with pytest.raises(SettingsError, match=message):
            figure()
