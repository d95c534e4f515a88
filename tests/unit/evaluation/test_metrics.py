from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    recall_score,
)

from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import (
    Accuracy,
    accuracy_at,
    average_precision,
    brier_score,
    expected_calibration_error,
)

LABELS = st.lists(st.integers(0, 1), min_size=2, max_size=60).filter(lambda x: len(set(x)) == 2)


@given(labels=LABELS, seed=st.integers(0, 2**32 - 1), levels=st.sampled_from([2, 5, 1000]))
def test_figures_are_scikit_learns(labels: list[int], seed: int, levels: int) -> None:
    truth = np.array(labels, np.int8)
    scores = (np.random.default_rng(seed).integers(0, levels, len(truth)) / levels).astype(
        np.float32
    )
    assert average_precision(truth, scores) == average_precision_score(truth, scores)
    verdict = scores > 0.5
    accuracy = accuracy_at(truth, scores, 0.5)
    assert accuracy.overall == pytest.approx(accuracy_score(truth, verdict))
    assert accuracy.fake == pytest.approx(recall_score(truth, verdict))
    assert accuracy.real == pytest.approx(recall_score(truth, verdict, pos_label=0))


def test_accuracy_by_hand() -> None:
    labels = np.array([0, 0, 0, 1])
    scores = np.array([0.1, 0.5, 0.9, 0.5])
    assert accuracy_at(labels, scores, 0.5) == Accuracy(real=2 / 3, fake=0.0, overall=0.5)
    assert accuracy_at(labels, scores, -np.inf) == Accuracy(real=0.0, fake=1.0, overall=0.25)


def test_average_precision_by_hand() -> None:
    labels = np.array([1, 0, 1, 0])
    assert average_precision(labels, np.array([4.0, 3.0, 2.0, 1.0])) == pytest.approx(
        (1 + 2 / 3) / 2
    )
    assert average_precision(labels, np.array([-1.0, -3, -2, -4])) == 1.0


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([], [], "got 0 real and 0 fake"),
        ([0, 0], [0.1, 0.2], "got 2 real and 0 fake"),
        ([1, 1], [0.1, 0.2], "got 0 real and 2 fake"),
        ([0, 1], [0.1, np.nan], "1 of 2 scores are NaN or infinite"),
        ([0, 2], [0.1, 0.2], "labels must be 0 or 1"),
    ],
)
def test_figures_that_mean_nothing_are_refused(
    labels: list[int], scores: list[float], message: str
) -> None:
    truth, values = np.array(labels, np.int8), np.array(scores, np.float32)
    with pytest.raises(SettingsError, match=message):
        average_precision(truth, values)
    with pytest.raises(SettingsError, match=message):
        accuracy_at(truth, values, 0.5)


def test_other_faults_are_refused() -> None:
    labels, scores = np.array([0, 1]), np.array([0.1, 0.2])
    with pytest.raises(SettingsError, match="threshold is NaN"):
        accuracy_at(labels, scores, np.nan)
    with pytest.raises(ValueError, match="equally long"):
        accuracy_at(labels, scores[:1], 0.5)


@given(labels=LABELS, seed=st.integers(0, 2**32 - 1))
def test_brier_score_is_scikit_learns(labels: list[int], seed: int) -> None:
    truth = np.array(labels, np.int8)
    probabilities = np.random.default_rng(seed).random(len(truth)).astype(np.float32)
    expected = brier_score_loss(truth, probabilities.astype(np.float64))
    assert brier_score(truth, probabilities) == pytest.approx(expected)


@given(labels=LABELS, seed=st.integers(0, 2**32 - 1), num_bins=st.sampled_from([1, 2, 15]))
def test_calibration_error_is_that_of_a_loop_over_bins(
    labels: list[int], seed: int, num_bins: int
) -> None:
    truth = np.array(labels)
    # Multiples of 1/16 lie on the edges of two bins, and exactly so.
    probabilities = np.random.default_rng(seed).integers(0, 17, len(truth)) / 16
    expected = 0.0
    for number in range(num_bins):
        low, high = number / num_bins, (number + 1) / num_bins
        last = number == num_bins - 1
        inside = (probabilities >= low) & ((probabilities < high) | last)
        if inside.any():
            gap = abs(probabilities[inside].mean() - truth[inside].mean())
            expected += gap * inside.mean()
    found = expected_calibration_error(truth, probabilities, num_bins)
    assert found == pytest.approx(expected, abs=1e-12)


def test_calibration_by_hand() -> None:
    labels = np.array([0, 1, 1, 1])
    probabilities = np.array([0.5, 0.5, 1, 1], np.float32)
    assert expected_calibration_error(labels, probabilities) == 0
    assert brier_score(labels, probabilities) == 0.125
    assert expected_calibration_error(labels, 1 - probabilities) == 0.5
    assert expected_calibration_error(labels, np.ones(4)) == 0.25


def test_what_is_no_probability_is_refused() -> None:
    labels = np.array([0, 1])
    for figure in (brier_score, expected_calibration_error):
        with pytest.raises(SettingsError, match=r"between 0 and 1, got 0\.5 to 1\.5"):
            figure(labels, np.array([0.5, 1.5]))
        with pytest.raises(SettingsError, match=r"between 0 and 1, got -0\.5"):
            figure(labels, np.array([0.5, -0.5]))
        with pytest.raises(SettingsError, match="1 of 2 scores are NaN"):
            figure(labels, np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match="at least one bin"):
        expected_calibration_error(labels, np.array([0.1, 0.2]), 0)
