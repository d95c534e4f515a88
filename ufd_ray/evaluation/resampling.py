"""Figures of a ranking, found again on images drawn anew from the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ufd_ray.evaluation.repeated import Counted, count_repeated
from ufd_ray.schema import FAKE, REAL

_NUMBERS_AT_ONCE = 200_000
"""Bounds what is in memory, and lets it stay near a core: a row a draw, a column an image."""

RepeatedFigure = Callable[[Counted], NDArray[np.float64]]
"""A figure of each draw, (draws,)."""


def resample(
    labels: NDArray[np.integer],
    scores: NDArray[np.floating],
    groups: NDArray[np.integer],
    figures: Sequence[RepeatedFigure],
    *,
    num_draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Figures of bootstrap samples of groups, all of the same samples.

    Groups of real images, of fakes and of both are drawn apart, as often as there are: every sample
    has both classes.

    Args:
        labels: (n,) integers, 0 real, 1 fake, both there.
        scores: (n,) floating, higher for fake.
        groups: (n,) integers from 0 on, none left out; 0, 1, 2, … for images without groups.
        figures: one at least.
        num_draws: how many samples.
        seed: of the draws.

    Returns:
        (figures, num_draws) float64.
    """
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    fake, ranked, columns = labels[order] == FAKE, scores[order], groups[order]
    found = []
    for times in _draws(labels, groups, num_draws, seed):
        counted = count_repeated(fake, ranked, times[:, columns])
        found.append([figure(counted) for figure in figures])
    return np.concatenate(found, axis=1)


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
