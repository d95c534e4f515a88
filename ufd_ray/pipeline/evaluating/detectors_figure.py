"""All detectors over test sets in one figure: with baselines of two sources, the paper's Fig. 6."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ufd_ray.evaluation import Row, ScoreColumn
from ufd_ray.evaluation.judging import AVERAGE_PRECISION
from ufd_ray.evaluation.means import GROUP
from ufd_ray.evaluation.paper.rows import detector_title
from ufd_ray.evaluation.paper.sets import PAPER_SETS
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.score_figures import drawn
from ufd_ray.report.figures import MOST_PANELS, Drawing, points_figure

_NONE = (math.nan, math.nan)
_MEANS = {"gan": "mean of GANs", "unseen": "mean of unseen", "all": "mean"}


def draw_beside(
    evaluation: Evaluation, rows: Sequence[Row], columns: Sequence[ScoreColumn]
) -> dict[str, Drawing]:
    """Name of a file, without its ending → figure; none without baselines.

    Args:
        evaluation: what is evaluated.
        rows: all figures.
        columns: the detectors; of votes and mean margins, that of most neighbours is drawn.
    """
    if not evaluation.compared:
        return {}
    return {"baselines": draw_over_sets(rows, [column.name for column in drawn(columns)])}


def draw_over_sets(rows: Sequence[Row], detectors: Sequence[str]) -> Drawing:
    """Average precisions, a place a test set, a point a detector; behind them, means.

    Args:
        rows: all figures.
        detectors: names of columns, in the order of the legend.

    Raises:
        ValueError: there is nothing to draw.
    """
    own = [row for row in rows if row.metric == AVERAGE_PRECISION]
    found = {(row.detector, row.set): row for row in own}
    names = list(dict.fromkeys(row.set for row in own))
    sets = [name for name in names if not name.startswith(GROUP)]
    means = [name for name in names if name.startswith(GROUP) and len(sets) > 1]
    of_all = f" (the first {MOST_PANELS} of {len(sets):,})" if len(sets) > MOST_PANELS else ""
    places = sets[:MOST_PANELS] + means
    return points_figure(
        "Average precision by test set",
        f"test set{of_all}",
        [_words(name) for name in places],
        {
            detector_title(detector): [100 * found[detector, name].value for name in places]
            for detector in detectors
        },
        {
            detector_title(detector): [_interval(found[detector, name]) for name in places]
            for detector in detectors
        },
        "average precision, %",
    )


def _words(name: str) -> str:
    if name.startswith(GROUP):
        return _MEANS[name.removeprefix(GROUP)]
    return PAPER_SETS.get(name, name)


def _interval(row: Row) -> tuple[float, float]:
    if row.low is None or row.high is None:
        return _NONE
    return 100 * row.low, 100 * row.high
