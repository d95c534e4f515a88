"""All detectors on all test sets: every figure, and the means of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ufd_ray.evaluation.judging import ScoreColumn, judge
from ufd_ray.evaluation.means import Row, group_members, mean_rows
from ufd_ray.evaluation.set_plan import SetPlan
from ufd_ray.schema import FAKE, REAL


def judge_sets(
    plan: SetPlan,
    names: NDArray[np.object_],
    labels: NDArray[np.int8],
    scores: Mapping[str, NDArray[np.floating]],
    columns: Sequence[ScoreColumn],
    *,
    seed: int,
) -> list[Row]:
    """Judge every set that can be.

    Args:
        plan: which sets, by which images.
        names: (n,) str, the set that each image lies in.
        labels: (n,) int8, 0 real, 1 fake.
        scores: (n,) floating by the name of a detector's column.
        columns: the detectors.
        seed: of the draws for intervals.

    Returns:
        A row for each set, detector and metric; then one for each group, detector and metric.

    Raises:
        SettingsError: a score is not finite.
    """
    rows = []
    for name in plan.reals_of:
        chosen = plan.rows(name, names, labels)
        of_set = labels[chosen]
        counts = [int(np.count_nonzero(of_set == label)) for label in (REAL, FAKE)]
        for column in columns:
            figures = judge(of_set, scores[column.name][chosen], column, seed=seed)
            rows += [
                Row(name, column.name, f.metric, f.value, f.low, f.high, *counts) for f in figures
            ]
    return rows + mean_rows(rows, group_members(plan.reals_of))
