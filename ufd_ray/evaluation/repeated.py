"""Figures of a ranking in which each image is there so many times, for many draws at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Counted:
    """How many images of draws lie at or above the steps of a ranking.

    A step is a score that some fake has, from the highest on: equal scores are called fake together
    or not at all. Between two steps no fake is gained, so that no figure here changes.

    Attributes:
        fakes: (draws, steps) int64, at or above it; rising.
        reals: (draws, steps) int64 likewise.
        above: (draws, steps) int64, reals above it, strictly.
        num_reals: (draws,) int64, all of them.
    """

    fakes: NDArray[np.int64]
    reals: NDArray[np.int64]
    above: NDArray[np.int64]
    num_reals: NDArray[np.int64]


def count_repeated(
    fake: NDArray[np.bool_], ranked: NDArray[np.floating], times: NDArray[np.integer]
) -> Counted:
    """Count what lies at or above each step.

    Args:
        fake: (n,) bool, of one image at least True.
        ranked: (n,) floating, falling.
        times: (draws, n) integers ≥ 0: how often each image is there.
    """
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    ends = np.append(starts[1:], len(ranked)) - 1
    has_fake = np.add.reduceat(fake, starts, dtype=np.int64) > 0
    starts, ends = starts[has_fake], ends[has_fake]
    fakes = np.cumsum(times * fake, axis=1)
    reals = np.cumsum(times * ~fake, axis=1)
    num_reals = reals[:, -1].copy()
    at = reals[:, ends]
    above = at
    if not np.array_equal(starts, ends):  # the image at which a step begins may itself be real
        above = reals[:, starts] - times[:, starts] * ~fake[starts]
    return Counted(fakes[:, ends], at, above, num_reals)


def average_precisions(counted: Counted) -> NDArray[np.float64]:
    """Average precision of each draw that has a fake: (draws,) float64, 0 … 1."""
    fakes = counted.fakes
    precision = fakes / np.maximum(fakes + counted.reals, 1)
    gained = np.diff(fakes, axis=1, prepend=0)
    found: NDArray[np.float64] = np.einsum("ij,ij->i", gained, precision) / fakes[:, -1]
    return found


def roc_aucs(counted: Counted) -> NDArray[np.float64]:
    """The share of pairs in which the fake scores higher, ties counted half.

    Returns:
        (draws,) float64, 0 … 1; of a draw without reals or fakes, NaN.
    """
    gained = np.diff(counted.fakes, axis=1, prepend=0)
    # Over each fake lie so many reals; beside those that score the same, half.
    lost = np.einsum("ij,ij->i", gained, counted.reals + counted.above) / 2
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = 1 - lost / (counted.fakes[:, -1] * counted.num_reals)
    return found


def tprs_at_fpr(counted: Counted, max_fpr: float) -> NDArray[np.float64]:
    """The share of fakes over the lowest threshold that at most a share of the reals passes.

    As `tpr_at_fpr`, of which it is the figure for each draw.

    Args:
        counted: with a real and a fake in each draw.
        max_fpr: 0 … 1.

    Returns:
        (draws,) float64, 0 … 1.
    """
    within = counted.reals / counted.num_reals[:, None] <= max_fpr
    steps = np.count_nonzero(within, axis=1)
    found = np.take_along_axis(counted.fakes, np.maximum(steps - 1, 0)[:, None], axis=1)[:, 0]
    share: NDArray[np.float64] = np.where(steps > 0, found, 0) / counted.fakes[:, -1]
    return share
