"""One detector on one test set: every figure of it, by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.evaluation.intervals import Interval, accuracy_interval, balanced_accuracy_interval
from ufd_ray.evaluation.metrics import expected_calibration_error
from ufd_ray.evaluation.ranking import oracle_threshold
from ufd_ray.evaluation.ranking_intervals import ranking_intervals
from ufd_ray.schema import FAKE, REAL

AVERAGE_PRECISION = "average_precision"
ACCURACY = "accuracy"
"""At the detector's own threshold; `accuracy_tuned` and `accuracy_oracle` are at the others."""
ROC_AUC = "roc_auc"
TPR_AT_FPR = {"tpr_at_1_percent_fpr": 0.01, "tpr_at_5_percent_fpr": 0.05}
"""Name of a figure → share of real images that may be flagged."""
ECE = "ece"
_ORACLE = "_oracle"


@dataclass(frozen=True)
class ScoreColumn:
    """A detector as evaluation knows it: a number an image, and where it draws the line.

    Attributes:
        name: of the column.
        default: its own threshold: without any labelled images an image over it, strictly, is fake.
        tuned: that found on labelled images of the training source; None: there is none.
        is_share: whether it lies between 0 and 1, and may be held for a probability.
    """

    name: str
    default: float
    tuned: float | None = None
    is_share: bool = True


@dataclass(frozen=True)
class Figure:
    """A figure, and where it can be said, the ends of its interval.

    Attributes:
        metric: its name.
        value: 0 … 1; of a threshold, on the detector's own scale.
        low: lower end; None: nothing is said.
        high: upper end likewise.
    """

    metric: str
    value: float
    low: float | None = None
    high: float | None = None


def judge(
    labels: NDArray[np.integer], scores: NDArray[np.floating], column: ScoreColumn, *, seed: int
) -> list[Figure]:
    """All figures of a detector on the images of a test set.

    Args:
        labels: (n,) integers, 0 real, 1 fake, both there.
        scores: (n,) floating, the detector's.
        column: which detector.
        seed: of the draws for the intervals of what ranks.

    Returns:
        Average precision, ROC-AUC, shares of fakes found at 1 % and 5 % of real images flagged;
        at each threshold `accuracy` (mean of both classes), `accuracy_real`, `accuracy_fake`,
        `accuracy_overall` and the threshold itself; for a share, the calibration error (ECE).
        What there is no tuned threshold for is left out. Intervals are of 95 %, images drawn
        independently. Thresholds have none; nor has what was found at the oracle's, nor the ECE,
        which draws of the images at hand make larger on average than it is on these.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: a class has no images, or a score is not finite.
    """
    ranked = ranking_intervals(labels, scores, max_fprs=tuple(TPR_AT_FPR.values()), seed=seed)
    figures = [_figure(AVERAGE_PRECISION, ranked.average_precision)]
    figures.append(_figure(ROC_AUC, ranked.roc_auc))
    figures += map(_figure, TPR_AT_FPR, ranked.tpr_at_fpr)
    thresholds = {
        "": column.default,
        "_tuned": column.tuned,
        # Tuned on the set itself: what no threshold that comes from elsewhere can do better.
        _ORACLE: oracle_threshold(labels, scores, column.default),
    }
    for which, threshold in thresholds.items():
        if threshold is not None:
            figures += _at(labels, scores, threshold, which)
    if column.is_share:
        figures.append(Figure(ECE, expected_calibration_error(labels, scores)))
    return figures


def _at(
    labels: NDArray[np.integer], scores: NDArray[np.floating], threshold: float, which: str
) -> list[Figure]:
    # In float64: else a float32 array would have the threshold rounded to its own precision.
    right = (scores.astype(np.float64) > threshold) == (labels == FAKE)
    found = {
        "": balanced_accuracy_interval(right, labels),
        "_real": accuracy_interval(right[labels == REAL]),
        "_fake": accuracy_interval(right[labels == FAKE]),
        "_overall": accuracy_interval(right),
    }
    figures = [_figure(f"{ACCURACY}{kind}{which}", interval) for kind, interval in found.items()]
    if which == _ORACLE:
        # What was chosen by these very images says nothing of others, however many there are.
        figures = [Figure(figure.metric, figure.value) for figure in figures]
    return [*figures, Figure(f"threshold{which}", threshold)]


def _figure(metric: str, found: Interval) -> Figure:
    return Figure(metric, found.estimate, found.low, found.high)
