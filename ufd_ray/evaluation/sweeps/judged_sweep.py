"""All detectors at every setting of a sweep, judged on the same images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.evaluation.judged_sets import judge_sets
from ufd_ray.evaluation.judging import ScoreColumn
from ufd_ray.evaluation.means import Row
from ufd_ray.evaluation.set_plan import SetPlan, plan_sets


@dataclass(frozen=True)
class SweepRow(Row):
    """A row of `sweeps.parquet`: a figure, at a setting.

    Attributes:
        sweep: key of `KINDS`.
        setting: value of what is varied.
    """

    sweep: str
    setting: str


@dataclass(frozen=True, eq=False)
class Setting:
    """What detectors say at a setting.

    Attributes:
        name: of the setting.
        columns: the detectors.
        scores: (n,) floating of the evaluation's n images by the name of a column, NaN where one
            could not be scored.
        rows: its figures on all of them, where they are known; None: they are not.
        note: what else there is to say of it, for the table.
    """

    name: str
    columns: Sequence[ScoreColumn]
    scores: Mapping[str, NDArray[np.floating]]
    rows: Sequence[Row] | None = None
    note: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep, judged.

    Attributes:
        name: key of `KINDS`.
        settings: their names, in order.
        rows: all figures.
        num_images: by how many images, of those that the evaluation scored.
        left_out: sets that cannot be judged by these.
        notes: setting → what else there is to say of it.
    """

    name: str
    settings: tuple[str, ...]
    rows: tuple[SweepRow, ...]
    num_images: int
    left_out: tuple[str, ...]
    notes: dict[str, str]


def judge_sweep(
    name: str,
    settings: Sequence[Setting],
    plan: SetPlan,
    names: NDArray[np.object_],
    labels: NDArray[np.int8],
    *,
    seed: int,
) -> Sweep:
    """Judge every setting by the images that all of them have scores of.

    Args:
        name: key of `KINDS`.
        settings: at least one.
        plan: which sets, by which images.
        names: (n,) str, the set that each image lies in.
        labels: (n,) int8, 0 real, 1 fake.
        seed: of the draws for intervals.
    """
    there = np.ones(len(labels), bool)
    for setting in settings:
        for scores in setting.scores.values():
            there &= np.isfinite(scores)
    if there.all():
        judged = plan
    else:
        found = plan_sets(Counter(zip(names[there].tolist(), labels[there].tolist(), strict=True)))
        # A set that would now be held against another's real images is another set.
        kept = {one: by for one, by in plan.reals_of.items() if found.reals_of.get(one) == by}
        judged = SetPlan(kept, {})
    rows: list[SweepRow] = []
    for setting in settings:
        of_setting = setting.rows
        if of_setting is None or not there.all():
            few = {column: scores[there] for column, scores in setting.scores.items()}
            of_setting = judge_sets(
                judged, names[there], labels[there], few, setting.columns, seed=seed
            )
        rows += [SweepRow(**asdict(row), sweep=name, setting=setting.name) for row in of_setting]
    return Sweep(
        name,
        tuple(setting.name for setting in settings),
        tuple(rows),
        int(there.sum()),
        tuple(one for one in plan.reals_of if one not in judged.reals_of),
        {setting.name: setting.note for setting in settings if setting.note},
    )
