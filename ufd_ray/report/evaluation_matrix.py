"""A figure of an evaluation by set and detector."""

from __future__ import annotations

from ufd_ray.report.evaluation_figures import (
    GROUP,
    IN_ROWS,
    EvaluationFigures,
    name_of_group,
    whole,
)
from ufd_ray.report.facts import grid
from ufd_ray.report.page import escape

MOST_SETS = 60
"""Sets of which a table has a row or a column; the others are in `metrics.csv`."""
_MOST_WITH_INTERVALS = 5
"""Columns up to which there is room for intervals."""
_IN_HEADS = 24
"""Letters of a set's name at the head of a column."""


def matrix(figures: EvaluationFigures, metric: str, words: str) -> str:
    """Sets and means against detectors: what is more stands in rows.

    Args:
        figures: of all sets.
        metric: which.
        words: what it is called.
    """
    names = [*list(figures.sets)[:MOST_SETS], *figures.groups]
    detectors, images = figures.detectors, "images, real / fake"
    detectors_are_rows = len(detectors) > len(names)
    num = len(names) if detectors_are_rows else len(detectors)
    with_interval = num <= _MOST_WITH_INTERVALS
    cells = {
        (name, detector): figures.cell(name, detector, metric, interval=with_interval)
        for name in names
        for detector in detectors
    }
    if detectors_are_rows:
        head = ["detector", *(name_of_group(name, _IN_HEADS) for name in names)]
        rows = [[images, *(_images(figures, name) for name in names)]]
        rows += [
            [whole(title), *(cells[name, detector] for name in names)]
            for detector, title in detectors.items()
        ]
    else:
        head = ["set", images, *map(escape, detectors.values())]
        rows = [
            [
                name_of_group(name, IN_ROWS),
                _images(figures, name),
                *(cells[name, detector] for detector in detectors),
            ]
            for name in names
        ]
    return grid(words, head, rows)


def _images(figures: EvaluationFigures, name: str) -> str:
    if name.startswith(GROUP):
        return ""
    return f"{figures.sets[name]['n_real']:,} / {figures.sets[name]['n_fake']:,}"
