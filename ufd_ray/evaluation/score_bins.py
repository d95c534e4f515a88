"""Scores → counts in bins: how each class lies, and what a score is worth as a probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ufd_ray.schema import FAKE, REAL

_BINS_OF_A_SHARE = 20
_BINS_EITHER_SIDE = 15


def score_edges(
    scores: NDArray[np.floating], *, is_share: bool, num_votes: int | None = None
) -> NDArray[np.float64]:
    """Edges of bins for all scores of a detector; 0.5 and 0, where they decide, are edges.

    Args:
        scores: (n,) floating; they may reach beyond the outer edges where they are no shares.
        is_share: whether they lie between 0 and 1.
        num_votes: the neighbours whose share they are, a bin for each share; None: of none.

    Returns:
        (bins + 1,). Of shares, 20 bins over 0 … 1; of others, 15 either side of 0, as far as
        99 % of the scores reach.
    """
    if num_votes is not None:
        return (np.arange(num_votes + 2) - 0.5) / num_votes
    if is_share:
        return np.arange(_BINS_OF_A_SHARE + 1) / _BINS_OF_A_SHARE
    reach = float(np.quantile(np.abs(scores.astype(np.float64)), 0.99)) or 1.0
    return reach * np.arange(-_BINS_EITHER_SIDE, _BINS_EITHER_SIDE + 1) / _BINS_EITHER_SIDE


def count_scores(
    labels: NDArray[np.integer], scores: NDArray[np.floating], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Images by class and bin; what lies beyond the outer edges counts in the outer bins.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        scores: (n,) floating.
        edges: (bins + 1,), rising. What lies on one belongs to the bin below it, since a score
            has to be over a threshold.

    Returns:
        (2, bins), real first.
    """
    bins = np.searchsorted(edges, scores.astype(np.float64), side="left") - 1
    bins = np.clip(bins, 0, len(edges) - 2)
    return np.stack(
        [np.bincount(bins[labels == label], minlength=len(edges) - 1) for label in (REAL, FAKE)]
    )


def reliability_bins(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], num_bins: int = 15
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """What probabilities came to, in the bins of `expected_calibration_error`.

    Args:
        labels: (n,) integers, 0 real, 1 fake.
        probabilities: (n,) floating, 0 … 1, of fake.
        num_bins: bins of equal width.

    Returns:
        Images in each bin, the mean of their probabilities, and the share of fakes among them,
        (num_bins,) each; NaN where a bin is empty.
    """
    exact = probabilities.astype(np.float64)
    bins = np.minimum((exact * num_bins).astype(np.int64), num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    there = np.where(counts > 0, counts, np.nan)
    means = np.bincount(bins, weights=exact, minlength=num_bins) / there
    return counts, means, np.bincount(bins, weights=labels, minlength=num_bins) / there
