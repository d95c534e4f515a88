"""How good a calibration or a threshold is, of which there is only what it was found on.

The images are dealt into parts; each part is judged by what was found on the others. What is kept
was found on all of them, and is on average a little better than these figures say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors import fit_calibration, tuned_threshold
from ufd_ray.detectors.calibration import Method
from ufd_ray.schema import FAKE, REAL

MOST_PARTS = 10
FEWEST_IMAGES = 3
"""Of each class: then what is found without one of them rests on two at least."""


def deal_parts(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Deal the images of each class in turn.

    Args:
        labels: (n,) integers, 0 real, 1 fake; `FEWEST_IMAGES` of each at least.

    Returns:
        (n,) int64 from 0: which part each image is in.

    Raises:
        ValueError: too few images.
    """
    classes = [np.flatnonzero(labels == label) for label in (REAL, FAKE)]
    fewest = min(len(rows) for rows in classes)
    if fewest < FEWEST_IMAGES:
        raise ValueError(f"parts need {FEWEST_IMAGES} images of each class, got {fewest}")
    parts = np.zeros(len(labels), np.int64)
    for rows in classes:
        parts[rows] = np.arange(len(rows)) % min(MOST_PARTS, fewest)
    return parts


def cross_fitted_probabilities(
    values: NDArray[np.floating], labels: NDArray[np.integer], method: Method
) -> NDArray[np.float32]:
    """The probability of each image by a calibration that was fitted without its part.

    Args:
        values: (n,) floating, logits or margins.
        labels: (n,) integers, 0 real, 1 fake; `FEWEST_IMAGES` of each at least.
        method: of the calibrations.

    Returns:
        (n,) float32, 0 … 1.

    Raises:
        ValueError: too few images.
        SettingsError: without one of the parts there is nothing to calibrate.
    """
    parts = deal_parts(labels)
    probabilities = np.empty(len(labels), np.float32)
    for part in np.unique(parts):
        held_out = parts == part
        found = fit_calibration(values[~held_out], labels[~held_out], method=method)
        probabilities[held_out] = found.probabilities(values[held_out])
    return probabilities


def cross_fitted_accuracy(
    scores: NDArray[np.floating], labels: NDArray[np.integer], *, default: float
) -> float:
    """Mean of both classes' accuracies at a tuned threshold, each image's found without its part.

    Args:
        scores: (n,) floating.
        labels: (n,) integers, 0 real, 1 fake; `FEWEST_IMAGES` of each at least.
        default: taken where no threshold does better than guessing.

    Raises:
        ValueError: too few images.
    """
    parts = deal_parts(labels)
    right = np.empty(len(labels), bool)
    for part in np.unique(parts):
        held_out = parts == part
        tuned = tuned_threshold(scores[~held_out], labels[~held_out], default=default)
        threshold = default if tuned is None else tuned
        over = scores[held_out].astype(np.float64) > threshold
        right[held_out] = over == (labels[held_out] == FAKE)
    return float(right[labels == REAL].mean() + right[labels == FAKE].mean()) / 2
