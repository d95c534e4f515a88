"""Scores → the points of precision-recall and ROC curves, few enough to be drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from ufd_ray.detectors.calibration import check_labelled

NUM_STEPS = 500
"""Recalls of a precision-recall line, and steps of a ROC line's grid either way."""


def precision_recall_line(
    labels: NDArray[np.integer], scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision over recall, as the step function whose area is the average precision.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        scores: (n,) floating, higher for fake.

    Returns:
        Recalls 1/500 … 1, (500,); precision at the highest threshold that reaches each, (500,).

    Raises:
        ValueError: shapes do not fit.
        SettingsError: as for `average_precision`.
    """
    check_labelled(scores, labels, "scores")
    precision, recall, _ = precision_recall_curve(labels, scores)
    recalls = np.arange(1, NUM_STEPS + 1) / NUM_STEPS
    # Backwards, from the highest threshold to the lowest, recall rises.
    first = np.searchsorted(recall[::-1], recalls, side="left")
    return recalls, precision[::-1][first]


def roc_line(
    labels: NDArray[np.integer], scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of fakes found over share of real images flagged; points are joined, as ties ask for.

    Arguments and errors as for `precision_recall_line`.

    Returns:
        Both shares, (m,) each, both from 0 to 1: points of the curve, of those that share a cell of
        a grid of 500×500 the first alone, so that m is 1,003 at most.
    """
    check_labelled(scores, labels, "scores")
    flagged, found, _ = roc_curve(labels, scores)
    cells = np.floor(np.stack([flagged, found]) * NUM_STEPS)
    kept = np.append(True, (np.diff(cells) != 0).any(axis=0))
    kept[-1] = True
    return flagged[kept], found[kept]
