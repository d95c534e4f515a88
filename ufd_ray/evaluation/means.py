"""Figures of several test sets in one: means over the paper's groups, and over all sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ufd_ray.evaluation.paper.sets import GROUPS

GROUP = "mean/"
"""Begins the name of a group, where that of a test set stands."""


@dataclass(frozen=True)
class Row:
    """A row of `metrics.parquet`.

    Attributes:
        set: test set, or `mean/` and the name of a group.
        detector: column of `scores.parquet`.
        metric: name of the figure.
        value: the figure.
        low: lower end of its interval of 95 %; None: there is none.
        high: upper end likewise.
        n_real: real images of the set; of a mean, those of all its sets, each time they count.
        n_fake: fakes likewise.
    """

    set: str
    detector: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n_real: int
    n_fake: int


def group_members(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The sets of each group that has any: `mean/gan`, `mean/unseen`, and `mean/all`.

    Args:
        names: of the sets that were judged.
    """
    there = tuple(names)
    groups = {"gan": GROUPS["gan"], "unseen": GROUPS["unseen"], "all": there}
    found = {
        f"{GROUP}{group}": tuple(name for name in there if name in members)
        for group, members in groups.items()
    }
    return {group: members for group, members in found.items() if members}


def mean_rows(rows: Iterable[Row], groups: Mapping[str, tuple[str, ...]]) -> list[Row]:
    """Each figure's mean over the sets of each group: every set counts as much as another.

    Means of thresholds are left out, which would mean nothing. There are no intervals: sets share
    real images, so that their errors are not independent.

    Args:
        rows: of all sets, each with the same detectors and metrics.
        groups: sets by group, as `group_members` gives them.
    """
    by_figure: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if not row.metric.startswith("threshold"):
            by_figure.setdefault((row.detector, row.metric), {})[row.set] = row
    return [
        Row(
            group,
            detector,
            metric,
            float(np.mean([of_sets[name].value for name in members])),
            None,
            None,
            sum(of_sets[name].n_real for name in members),
            sum(of_sets[name].n_fake for name in members),
        )
        for group, members in groups.items()
        for (detector, metric), of_sets in by_figure.items()
    ]
