"""How well scores rank fake over real, and the best that any threshold could do on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from ufd_ray.detectors import tuned_threshold
from ufd_ray.detectors.calibration import check_labelled


def roc_auc(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> float:
    """The probability that a fake scores higher than a real image, ties counted half.

    Arguments, result and errors as for `average_precision`.
    """
    check_labelled(scores, labels, "scores")
    return float(roc_auc_score(labels, scores))


def tpr_at_fpr(labels: NDArray[np.integer], scores: NDArray[np.floating], max_fpr: float) -> float:
    """The largest share of fakes over a threshold that at most a share of the real images passes.

    Of these images, without a word on others; nothing is interpolated between two thresholds.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        scores: (n,) floating, higher for fake.
        max_fpr: share of real images that may be flagged, 0 … 1.

    Returns:
        0 … 1.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: as for `average_precision`.
    """
    check_labelled(scores, labels, "scores")
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(tpr[fpr <= max_fpr].max())


def oracle_threshold(
    labels: NDArray[np.integer], scores: NDArray[np.floating], default: float
) -> float:
    """The threshold that does best on the very images that it is judged by (section 5.3).

    An upper bound, not a figure that a detector reaches: best is the mean of both classes'
    accuracies; among equally good thresholds the nearest to `default` is taken.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        scores: (n,) floating, higher for fake.
        default: the detector's own threshold.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: as for `average_precision`.
    """
    tuned = tuned_threshold(scores, labels, default=default)
    # Where none does better than guessing, no image is called fake: one half, which is the best.
    return float(scores.max()) if tuned is None else tuned
