"""An average precision, found again on images drawn anew from the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ufd_ray.schema import FAKE, REAL

_NUMBERS_AT_ONCE = 2_000_000
"""Bounds what is in memory: a table with a row for each draw and a column for each image."""


def resampled_average_precision(
    labels: NDArray[np.integer],
    scores: NDArray[np.floating],
    groups: NDArray[np.integer],
    *,
    num_draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Average precision of bootstrap samples of groups.

    Groups of real images, of fakes and of both are drawn apart, as often as there are: every sample
    has both classes.

    Args:
        labels: (n,) integers, 0 real, 1 fake, both there.
        scores: (n,) floating, higher for fake.
        groups: (n,) integers from 0 on, none left out; 0, 1, 2, … for images without groups.
        num_draws: how many samples.
        seed: of the draws.

    Returns:
        (num_draws,) float64, 0 … 1.
    """
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    fake, ranked, columns = labels[order] == FAKE, scores[order], groups[order]
    return np.concatenate(
        [
            repeated_average_precision(fake, ranked, times[:, columns])
            for times in _draws(labels, groups, num_draws, seed)
        ]
    )


def repeated_average_precision(
    fake: NDArray[np.bool_], ranked: NDArray[np.floating], times: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Average precision where each image is there so many times.

    Args:
        fake: (n,) bool.
        ranked: (n,) floating, falling.
        times: (draws, n) integers ≥ 0, of some fake at least 1.

    Returns:
        (draws,) float64, 0 … 1.
    """
    # Equal scores are one step: they are called fake together or not at all.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    taken = np.cumsum(times, axis=1)[:, ends]
    fakes = np.cumsum(times * fake, axis=1)[:, ends]
    precision = fakes / np.maximum(taken, 1)
    gained = np.diff(fakes, axis=1, prepend=0)
    found: NDArray[np.float64] = (gained * precision).sum(axis=1) / fakes[:, -1]
    return found


def _draws(
    labels: NDArray[np.integer], groups: NDArray[np.integer], num_draws: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """How often each group is drawn: (draws, groups), a few draws at a time."""
    rng = np.random.default_rng(seed)
    num_groups = int(groups.max()) + 1
    kinds = np.zeros(num_groups, np.int64)
    for bit, label in ((1, REAL), (2, FAKE)):
        kinds[np.unique(groups[labels == label])] += bit
    strata = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    at_once = max(1, _NUMBERS_AT_ONCE // len(labels))
    for start in range(0, num_draws, at_once):
        times = np.zeros((min(at_once, num_draws - start), num_groups), np.int64)
        for row in times:
            for stratum in strata:
                places = rng.integers(0, len(stratum), len(stratum))
                row[stratum] = np.bincount(places, minlength=len(stratum))
        yield times
