"""Scores of all sets → curves, histograms and reliability diagrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ufd_ray.evaluation import (
    ScoreColumn,
    SetPlan,
    count_scores,
    expected_calibration_error,
    precision_recall_line,
    reliability_bins,
    roc_line,
    score_edges,
)
from ufd_ray.pipeline.evaluating.scores import VOTE
from ufd_ray.report.figures import (
    MOST_PANELS,
    CurveTexts,
    Drawing,
    Reliability,
    curves_figure,
    reliability_figure,
    score_bars_figure,
)
from ufd_ray.schema import MEAN_MARGIN

_OfASet = tuple[npt.NDArray[np.int8], Mapping[str, npt.NDArray[np.float32]]]
"""Labels (n,), and by detector, scores (n,)."""


def score_figures(
    sets: SetPlan,
    names: npt.NDArray[np.object_],
    labels: npt.NDArray[np.int8],
    scores: Mapping[str, npt.NDArray[np.float32]],
    columns: Sequence[ScoreColumn],
) -> dict[str, Drawing]:
    """Draw what is to be seen of scores: of detectors that differ in k, that of most neighbours.

    Args:
        sets: which sets, by which images; of more than 20 the first.
        names: (n,) str, the set that each image lies in.
        labels: (n,) int8, 0 real, 1 fake.
        scores: detector → (n,).
        columns: the detectors.

    Returns:
        Name of a file, without its ending → figure.
    """
    columns = drawn(columns)
    panels: dict[str, _OfASet] = {}
    for name in list(sets.reals_of)[:MOST_PANELS]:
        rows = sets.rows(name, names, labels)
        panels[name] = labels[rows], {c.name: scores[c.name][rows] for c in columns}
    about = ""
    if len(sets.reals_of) > MOST_PANELS:
        about = f"The first {MOST_PANELS} of {len(sets.reals_of):,} sets. "
    found = _curves(panels, about)
    for column in columns:
        found[f"scores-{column.name}"] = _bars(panels, column, about)
        if column.is_share:
            found[f"reliability-{column.name}"] = _reliability(panels, column.name, about)
    return found


def drawn(columns: Sequence[ScoreColumn]) -> list[ScoreColumn]:
    """The detectors that are drawn: of votes, and of mean margins, that of most neighbours."""
    votes, means = (
        [column for column in columns if column.name.startswith(kind)]
        for kind in (VOTE, MEAN_MARGIN)
    )
    return [column for column in columns if column not in (*votes[:-1], *means[:-1])]


def _curves(panels: Mapping[str, _OfASet], about: str) -> dict[str, Drawing]:
    lines = {
        name: {detector: precision_recall_line(labels, of) for detector, of in scores.items()}
        for name, (labels, scores) in panels.items()
    }
    shares = [(float(labels.mean()),) * 2 for labels, _ in panels.values()]
    texts = CurveTexts(
        "Precision over recall", about, "recall of fakes", "precision", "share of fakes"
    )
    ranked = {
        name: {detector: roc_line(labels, of) for detector, of in scores.items()}
        for name, (labels, scores) in panels.items()
    }
    roc = CurveTexts("ROC curves", about, "real images flagged", "fakes found")
    return {
        "precision-recall": curves_figure(lines, shares, texts),
        "roc": curves_figure(ranked, [(0.0, 1.0)] * len(panels), roc),
    }


def _bars(panels: Mapping[str, _OfASet], column: ScoreColumn, about: str) -> Drawing:
    votes = column.name.removeprefix(VOTE) if column.name.startswith(VOTE) else None
    edges = score_edges(
        np.concatenate([scores[column.name] for _, scores in panels.values()]),
        is_share=column.is_share,
        num_votes=None if votes is None else int(votes),
    )
    counts = {
        name: count_scores(labels, scores[column.name], edges)
        for name, (labels, scores) in panels.items()
    }
    if not column.is_share:
        about += "What lies beyond either end counts in the last bar before it."
    return score_bars_figure(counts, edges, column.default, column.name, about)


def _reliability(panels: Mapping[str, _OfASet], detector: str, about: str) -> Drawing:
    found = {
        name: Reliability(
            *reliability_bins(labels, scores[detector]),
            expected_calibration_error(labels, scores[detector]),
        )
        for name, (labels, scores) in panels.items()
    }
    about += "15 bins of equal width. ECE: mean distance from the dashed line, by images."
    return reliability_figure(found, detector, about)
