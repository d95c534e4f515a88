"""What `tables.md` says of baselines, and of the mistakes of all detectors."""

from __future__ import annotations

from collections.abc import Sequence

from ufd_ray.evaluation import Row, ScoreColumn
from ufd_ray.evaluation.paper.by_class import class_lines
from ufd_ray.evaluation.paper.sets import key_of
from ufd_ray.pipeline.comparing.compared import section_of
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.score_figures import drawn

_OF_TABLE_1 = "resnet50-blur-jpeg-0.5"


def sections_of(
    evaluation: Evaluation, rows: Sequence[Row], columns: Sequence[ScoreColumn]
) -> list[list[str]]:
    """Which the baselines are, if there are any; and where the mistakes of all detectors fall.

    Args:
        evaluation: what is evaluated.
        rows: all figures.
        columns: the detectors; of votes and mean margins, that of most neighbours is told of.
    """
    compared, bank = evaluation.compared, evaluation.detectors.bank
    names = [column.name for column in drawn(columns)]
    # What a probe was fitted on is known only to who fitted it.
    of_bank = tuple(map(key_of, bank.counts.get("source", {}))) if bank else ()
    seen = {name: of_bank for name in names if name.startswith("nn_")}
    seen |= {one.column.name: one.seen for one in compared}
    like_table_1 = {
        one.column.name
        for one in compared
        if one.info.name == _OF_TABLE_1 and one.info.is_published
    }
    sections = [section_of(compared)] if compared else []
    return [*sections, class_lines(rows, names, seen, like_table_1)]
