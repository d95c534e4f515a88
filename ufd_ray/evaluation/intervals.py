"""How far a figure that was found on few images may lie from the truth.

All intervals are those of a share, exact by Clopper and Pearson (1934), of as many independent
images as vary by as much as the images at hand do: the effective number. It is the number of images
itself where they are independent, and smaller where they come in groups (Korn and Graubard,
"Confidence intervals for proportions with small expected number of positive counts estimated from
survey data", 1998) or from a cross-validation (Nadeau and Bengio, "Inference for the generalization
error", 2003). An interval never leaves 0 … 1, and has a width also where every verdict is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, REAL


@dataclass(frozen=True)
class Interval:
    """A figure and the ends between which the truth is expected, all 0 … 1."""

    estimate: float
    low: float
    high: float


def accuracy_interval(
    right: NDArray[np.bool_],
    *,
    groups: NDArray[np.generic] | None = None,
    confidence: float = 0.95,
    num_folds: int | None = None,
) -> Interval:
    """Interval for a share of right verdicts.

    Args:
        right: (n,) bool, n ≥ 1: which verdicts are right.
        groups: (n,) of anything: images of one group are alike, so that groups are counted. An
            interval from two or three groups says little, and from a single one nothing: 0 to 1.
            None: every image stands for itself.
        confidence: between 0 and 1.
        num_folds: of the cross-validation that the verdicts come from, if they do: its probes are
            fitted on nearly the same images and err together, so that the verdicts vary
            1 + num_folds / (num_folds - 1) times as much as independent ones would. Measured on
            20 to 200 images, the accuracy of the probe that is fitted on all of them then lies in
            the interval in 98 of 100 cases at least; without it, in 88 to 96.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: the confidence is none, or there are no images.
    """
    check_rows(right, groups, confidence, num_folds)
    share = float(right.mean())
    num_effective = float(len(right))
    if groups is not None:
        index = np.unique(groups, return_inverse=True)[1].reshape(-1)
        num_groups = int(index.max()) + 1
        if num_groups == 1:
            return Interval(share, 0.0, 1.0)
        excess = np.bincount(index, weights=right - share)
        variance = num_groups / (num_groups - 1) * float(np.sum(excess**2)) / len(right) ** 2
        num_effective = effective_images(share, variance, len(right), num_groups, confidence)
    return share_interval(share, num_effective / widening(num_folds), confidence)


def balanced_accuracy_interval(
    right: NDArray[np.bool_], labels: NDArray[np.integer], *, confidence: float = 0.95
) -> Interval:
    """Interval for the mean of both classes' accuracies.

    How much it varies is what drawing the images of each class anew with replacement comes to;
    since only right and wrong verdicts are drawn, that is known without any draws.

    Args:
        right: (n,) bool: which verdicts are right.
        labels: (n,) integers, 0 real, 1 fake, both there. With a single image of one of them
            nothing can be said: 0 to 1.
        confidence: between 0 and 1.

    Raises:
        ValueError: shapes do not fit, or a class has no images.
        SettingsError: the confidence is none, or there are no images.
    """
    check_rows(right, labels, confidence, None)
    classes = [right[labels == label] for label in (REAL, FAKE)]
    fewest = min(map(len, classes))
    if sum(map(len, classes)) < len(right) or not fewest:
        raise ValueError("labels must be 0 and 1, and both be there")
    shares = np.array([verdicts.mean() for verdicts in classes])
    share = float(shares.mean())
    if fewest == 1:
        return Interval(share, 0.0, 1.0)
    each = np.array([len(verdicts) for verdicts in classes])
    variance = float(np.sum(shares * (1 - shares) / (each - 1))) / 4
    # Where all verdicts are alike, their mean is that of so many independent images.
    alike = 4 / float(np.sum(1 / each))
    num = (
        alike
        if share in (0.0, 1.0)
        else effective_images(share, variance, len(right), fewest, confidence)
    )
    return share_interval(share, num, confidence)


def effective_images(
    share: float, variance: float, num_images: int, num_groups: int, confidence: float
) -> float:
    """How many independent images would let a share vary by that much.

    Args:
        share: 0 … 1.
        variance: of the share, found on the images at hand.
        num_images: these; it is never more.
        num_groups: groups of images, at least 2, that the variance was found on.
        confidence: of the interval, between 0 and 1.
    """
    if share in (0.0, 1.0):
        # How alike the images of a group are cannot be seen: a group then counts as one image.
        return num_groups
    most = float(num_images)
    num = most if variance == 0 else min(most, share * (1 - share) / variance)
    # The variance is itself an estimate, from so few groups: Student's t, as for both counts.
    upper = (1 + confidence) / 2
    return num * float((stdtrit(num_images - 1, upper) / stdtrit(num_groups - 1, upper)) ** 2)


def widening(num_folds: int | None) -> float:
    """How much more verdicts of a cross-validation vary than independent ones (`num_folds`)."""
    return 1.0 if num_folds is None else 1 + num_folds / (num_folds - 1)


def share_interval(share: float, num: float, confidence: float) -> Interval:
    """The exact interval of a share of so many independent images, a whole number or not."""
    outside = (1 - confidence) / 2
    right, wrong = share * num, (1 - share) * num
    low = float(betaincinv(right, wrong + 1, outside)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - outside)) if wrong > 0 else 1.0
    return Interval(share, low, high)


def check_rows(
    rows: NDArray[np.generic],
    groups: NDArray[np.generic] | None,
    confidence: float,
    num_folds: int | None,
) -> None:
    """Refuse what has no interval; arguments and errors as for `accuracy_interval`."""
    if rows.ndim != 1 or (groups is not None and groups.shape != rows.shape):
        shape = None if groups is None else groups.shape
        raise ValueError(f"verdicts {rows.shape} and groups {shape} must be equally long")
    if len(rows) == 0:
        raise SettingsError("an interval needs at least one image, got none")
    if not 0 < confidence < 1:
        raise SettingsError(f"confidence must lie between 0 and 1, got {confidence}")
    if num_folds is not None and num_folds < 2:
        raise ValueError(f"a cross-validation has two folds at least, got {num_folds}")
