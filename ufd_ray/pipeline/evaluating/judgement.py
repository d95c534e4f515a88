"""The rows of a flow → all figures: which sets are judged, and what every detector comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.errors import UfdError
from ufd_ray.evaluation import Row, ScoreColumn, SetPlan, judge_sets, plan_sets
from ufd_ray.evaluation.sweeps import Sweep, judge_sweep
from ufd_ray.pipeline.evaluating.account import (
    bank_lines,
    count_images,
    detector_lines,
    image_line,
    names_and_labels,
)
from ufd_ray.pipeline.evaluating.bias import Guard, guard_sets
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.scores import Collected
from ufd_ray.pipeline.sweeping.settings_of_sweeps import Swept, Unswept, settings_of_sweeps
from ufd_ray.schema import REAL


@dataclass(frozen=True, eq=False)
class Judgement:
    """What an evaluation found.

    Attributes:
        columns: the detectors.
        collected: what they said of every image.
        scores: (n,) float32 of the n scored images by the name of a column.
        sets: which were judged, by which images.
        rows: all figures.
        guard: what files tell; None: nobody asked.
        sweeps: what was varied, judged.
    """

    columns: Sequence[ScoreColumn]
    collected: Collected
    scores: dict[str, npt.NDArray[np.float32]]
    sets: SetPlan
    rows: Sequence[Row]
    guard: Guard | None
    sweeps: Sequence[Sweep]

    def counts(self) -> dict[str, Any]:
        """`counts` of `evaluation.json`."""
        return count_images(self.sets, self.collected)

    def lines(self) -> list[str]:
        """What is said at the end."""
        counts, detectors = self.counts(), detector_lines(self.rows, self.columns)
        return [image_line(counts), *bank_lines(counts), *detectors, *self._of_files()]

    def remarks(self) -> list[str]:
        """What the page says of it that none of its tables does."""
        return [*bank_lines(self.counts()), *self._of_files()]

    def _of_files(self) -> list[str]:
        return self.guard.lines() if self.guard else []


def judge(
    evaluation: Evaluation, columns: Sequence[ScoreColumn], collected: Collected, swept: Swept
) -> Judgement:
    """Judge all sets, their files, and all that was varied.

    Args:
        evaluation: what is evaluated.
        columns: the detectors.
        collected: what they said.
        swept: what was varied beside the flow.

    Raises:
        UfdError: no set has scored images of both classes, or the bank has images of one class
            alone.
    """
    seed = evaluation.settings.seed
    names, labels = names_and_labels(collected)
    sets = _plan(names, labels, collected.failed)
    _check(sets, evaluation, collected)
    scores = {column.name: np.asarray(collected.scores[column.name]) for column in columns}
    rows = judge_sets(sets, names, labels, scores, columns, seed=seed)
    # Baselines are not swept.
    theirs = {one.column.name for one in evaluation.compared}
    own_columns = [column for column in columns if column.name not in theirs]
    own_rows = [row for row in rows if row.detector not in theirs]
    own = Unswept(own_columns, scores, own_rows, collected.scores["image_id"].to_pylist())
    varied = settings_of_sweeps(own, evaluation.forms, collected.forms, swept)
    return Judgement(
        columns,
        collected,
        scores,
        sets,
        rows,
        guard_sets(sets, collected, evaluation.alignment, seed),
        [judge_sweep(name, of, sets, names, labels, seed=seed) for name, of in varied.items()],
    )


def _plan(names: Any, labels: Any, failed: Counter[str]) -> SetPlan:
    """What can be judged by the images that were scored; sets that have none are told as well."""
    counts = Counter(zip(names.tolist(), labels.tolist(), strict=True))
    for name in failed:
        counts.setdefault((name, REAL), 0)
    plan = plan_sets(counts)
    left_out = {
        name: f"{why} ({failed[name]:,} failed)" if failed[name] else why
        for name, why in plan.left_out.items()
    }
    return replace(plan, left_out=left_out)


def _check(sets: SetPlan, evaluation: Evaluation, collected: Collected) -> None:
    if not sets.reals_of:
        raise UfdError(
            "no test set has both real and fake images that could be scored:"
            f" {len(collected.rejected):,} failed, {_by_code(collected.rejected)}"
        )
    bank = evaluation.detectors.bank
    if bank and collected.scores["nn_margin"].null_count:
        raise UfdError(
            f"bank {bank.uri}: it has images of one class to search, so no margin; both are needed"
        )


def _by_code(rejected: Any) -> str:
    codes = rejected["error_code"].value_counts().to_pylist()
    return ", ".join(f"{entry['counts']:,} {entry['values']}" for entry in codes) or "for no reason"
