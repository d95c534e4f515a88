"""Intervals of ROC-AUC and of the fakes found at a bound; average precision's: test_intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import (
    Interval,
    average_precision_interval,
    ranking_intervals,
    roc_auc,
    tpr_at_fpr,
)

BOUNDS = (0.01, 0.05)


def test_all_are_by_the_draws_of_the_average_precision() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [200, 300])
    scores = rng.normal(size=500) + labels
    found = ranking_intervals(labels, scores, max_fprs=BOUNDS, seed=3)
    assert found.average_precision == average_precision_interval(labels, scores, seed=3)
    assert found.roc_auc.estimate == roc_auc(labels, scores)
    assert [one.estimate for one in found.tpr_at_fpr] == [
        tpr_at_fpr(labels, scores, bound) for bound in BOUNDS
    ]
    for one in (found.roc_auc, *found.tpr_at_fpr):
        assert 0 < one.low < one.estimate < one.high < 1
    assert ranking_intervals(labels, scores, max_fprs=BOUNDS, seed=4) != found


def test_an_auc_is_about_as_far_off_as_theory_has_it() -> None:
    """Hanley and McNeil (1982), whose variance of the AUC is that of two exponentials."""
    num_real, num_fake = 300, 200
    quantiles = [(np.arange(num) + 0.5) / num for num in (num_real, num_fake)]
    scores = np.concatenate([-np.log1p(-quantiles[0]), -4 * np.log1p(-quantiles[1])])
    labels = np.repeat([0, 1], [num_real, num_fake])
    found = ranking_intervals(labels, scores).roc_auc
    auc = 0.8
    assert found.estimate == pytest.approx(auc, abs=0.002)
    pairs = (num_fake - 1) * (auc / (2 - auc) - auc**2)
    pairs += (num_real - 1) * (2 * auc**2 / (1 + auc) - auc**2)
    spread = np.sqrt((auc * (1 - auc) + pairs) / (num_real * num_fake))
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.12)


@pytest.mark.parametrize("each", [(20, 20), (60, 300), (300, 60)])
def test_they_cover(each: tuple[int, int]) -> None:
    rng = np.random.default_rng(each[0])
    labels = np.repeat([0, 1], each)
    held = np.zeros(3, int)
    rounds = 0
    for distance in (0.0, 1.0, 2.5):
        truths = [ndtr(distance / np.sqrt(2)), *ndtr(ndtri(BOUNDS) + distance)]
        for _ in range(30):
            scores = rng.normal(size=len(labels)) + distance * labels
            found = ranking_intervals(labels, scores, max_fprs=BOUNDS, num_draws=40)
            for place, one in enumerate((found.roc_auc, *found.tpr_at_fpr)):
                assert 0 <= one.low <= one.estimate <= one.high <= 1
                held[place] += one.low <= truths[place] <= one.high
            rounds += 1
    assert (held / rounds > 0.91).all(), held / rounds


def test_where_no_real_image_may_be_flagged_nothing_is_said() -> None:
    labels = np.repeat([0, 1], [99, 40])
    scores = np.arange(139.0)
    found = ranking_intervals(labels, scores, max_fprs=BOUNDS)
    assert found.tpr_at_fpr[0] == Interval(1.0, 0.0, 1.0)
    assert 0.3 < found.tpr_at_fpr[1].low < 0.6  # four may be: worth five images
    assert found.roc_auc.low > 0.9


def test_a_perfect_ranking_by_votes_is_worth_its_fewest_images() -> None:
    # Shares of 1/3, 1/2 and 1/6 add up to a little less than 1.
    scores = np.repeat([0.0, 1.0, 2.0, 3.0], [2, 3, 1, 600])
    found = ranking_intervals(np.repeat([0, 1], [6, 600]), scores)
    for one in (found.roc_auc, found.average_precision):
        assert (one.estimate, one.high) == (1.0, 1.0)
        assert one.low == pytest.approx(0.025 ** (1 / 6), abs=0.001)


def test_one_image_of_a_class_says_nothing() -> None:
    found = ranking_intervals(np.array([0, 0, 1]), np.arange(3.0), max_fprs=(0.5,))
    whole = Interval(1.0, 0.0, 1.0)
    assert (found.average_precision, found.roc_auc, found.tpr_at_fpr) == (whole, whole, (whole,))


def test_what_has_no_interval_is_refused() -> None:
    with pytest.raises(SettingsError, match="got 2 real and 0 fake"):
        ranking_intervals(np.zeros(2, int), np.zeros(2))
    with pytest.raises(SettingsError, match="between 0 and 1"):
        ranking_intervals(np.array([0, 1]), np.zeros(2), confidence=1.0)
