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


def brier_score(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float:
    """Mean squared distance of the probabilities from 0 (real) and 1 (fake); 0 is best.

    Source: Brier, "Verification of forecasts expressed in terms of probability" (1950), in the form
    for two classes.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        probabilities: (n,) floating, 0 … 1, of fake.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: as for `average_precision`, or a probability is none.
    """
    _check_probabilities(labels, probabilities)
    return float(np.mean((probabilities.astype(np.float64) - labels) ** 2))


def expected_calibration_error(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], num_bins: int = 15
) -> float:
    """How far probabilities lie from the shares of fakes that come with them; 0 is best.

    Over bins of equal width: the distance between mean probability of fake and share of fakes,
    weighted by the images in the bin. Few images make it too large by chance: with n images a
    perfect calibration still comes to something like 1 / sqrt(n).

    Source: Guo et al., "On calibration of modern neural networks" (2017), with the probability of
    fake in the place of their confidence, so that both ends of the scale count.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        probabilities: (n,) floating, 0 … 1, of fake.
        num_bins: bins over 0 … 1.

    Raises:
        ValueError: shapes do not fit, or there is no bin.
        SettingsError: as for `average_precision`, or a probability is none.
    """
    _check_probabilities(labels, probabilities)
    if num_bins < 1:
        raise ValueError(f"at least one bin is needed, got {num_bins}")
    exact = probabilities.astype(np.float64)
    bins = np.minimum((exact * num_bins).astype(np.int64), num_bins - 1)
    gaps = np.bincount(bins, weights=exact - labels, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(labels))


def _check_probabilities(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> None:
    _check(labels, probabilities)
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise SettingsError(
            f"probabilities must lie between 0 and 1, got {probabilities.min():.4g} to"
            f" {probabilities.max():.4g}"
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
