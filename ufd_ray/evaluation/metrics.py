"""How well scores tell fake from real (the paper's section 5.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, REAL


@dataclass(frozen=True)
class Accuracy:
    """Shares of right verdicts, 0 … 1.

    Attributes:
        real: among real images.
        fake: among fake images.
        overall: among all images; the larger class weighs more.
    """

    real: float
    fake: float
    overall: float


def average_precision(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> float:
    """Average precision with fake as the positive class, as scikit-learn defines it.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        scores: (n,) floating, higher for fake, on any scale.

    Returns:
        0 … 1.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: no images, a class without any, another label, or a score that is not
            finite.
    """
    _check(labels, scores)
    return float(average_precision_score(labels, scores, pos_label=FAKE))


def accuracy_at(
    labels: NDArray[np.integer], scores: NDArray[np.floating], threshold: float
) -> Accuracy:
    """Accuracy when an image is called fake if its score is over the threshold, strictly.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        scores: (n,) floating, higher for fake.
        threshold: on the scores' own scale.

    Returns:
        Accuracy on real, on fake and on all images.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: as for `average_precision`, or a threshold that is NaN.
    """
    _check(labels, scores)
    if np.isnan(threshold):
        raise SettingsError("the threshold is NaN, expected a number")
    fake = labels == FAKE
    # In float64: else a float32 array would have the threshold rounded to its own precision.
    right = (scores.astype(np.float64) > threshold) == fake
    return Accuracy(
        real=float(right[~fake].mean()),
        fake=float(right[fake].mean()),
        overall=float(right.mean()),
    )


def _check(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> None:
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} must be equally long")
    num_real, num_fake = np.count_nonzero(labels == REAL), np.count_nonzero(labels == FAKE)
    if num_real + num_fake < len(labels):
        raise SettingsError(f"labels must be {REAL} or {FAKE}, got others")
    if not (num_real and num_fake):
        raise SettingsError(
            f"evaluation needs images of both classes, got {num_real} real and {num_fake} fake"
        )
    num_bad = np.count_nonzero(~np.isfinite(scores))
    if num_bad:
        raise SettingsError(f"{num_bad} of {len(scores)} scores are NaN or infinite")
