"""A sweep in words: its section of `tables.md`, and the means that its figure shows."""

from __future__ import annotations

import math

from ufd_ray.evaluation.judging import ACCURACY, AVERAGE_PRECISION
from ufd_ray.evaluation.markdown import cell_text
from ufd_ray.evaluation.means import GROUP
from ufd_ray.evaluation.paper.rows import detector_title
from ufd_ray.evaluation.sweeps.judged_sweep import Sweep
from ufd_ray.evaluation.sweeps.kinds import KINDS

_ALL = f"{GROUP}all"
_METRICS = {
    AVERAGE_PRECISION: "Average precision",
    ACCURACY: "Accuracy, mean of both classes, at each detector's own threshold",
}


def sweep_lines(sweep: Sweep) -> list[str]:
    """The section of a sweep: a table a metric, a row a detector and setting, a column a set.

    Args:
        sweep: judged.

    Returns:
        Markdown, figures in per cent.
    """
    kind = KINDS[sweep.name]
    lines = [f"## {kind.title}", "", kind.about]
    if sweep.notes:
        lines += ["", *(f"- `{cell_text(name)}`: {note}" for name, note in sweep.notes.items())]
    if sweep.left_out:
        named = ", ".join(map(cell_text, sweep.left_out))
        lines += ["", f"Not judged here, for lack of images that all settings scored: {named}."]
    figures = {
        (row.detector, row.metric, row.setting, row.set): row.value
        for row in sweep.rows
        if row.metric in _METRICS
    }
    detectors = list(dict.fromkeys(row.detector for row in sweep.rows))
    means = [name for name in dict.fromkeys(r.set for r in sweep.rows) if name == _ALL]
    sets = [name for name in dict.fromkeys(r.set for r in sweep.rows) if not name.startswith(GROUP)]
    for metric, title in _METRICS.items():
        lines += ["", f"### {title}", ""]
        heads = ["detector", kind.axis, *map(cell_text, [*sets, *("mean" for _ in means)])]
        lines += [f"| {' | '.join(heads)} |", "|---|---|" + "---:|" * (len(heads) - 2)]
        for detector in detectors:
            for setting in sweep.settings:
                found = [figures.get((detector, metric, setting, one)) for one in [*sets, *means]]
                cells = ["–" if one is None else f"{100 * one:.2f}" for one in found]
                if any(one is not None for one in found):
                    words = [detector_title(detector), cell_text(setting), *cells]
                    lines.append(f"| {' | '.join(words)} |")
    return lines


def mean_figures(sweep: Sweep, metric: str) -> dict[str, list[float]]:
    """The means over all sets, for a figure.

    Args:
        sweep: judged.
        metric: name of the figure.

    Returns:
        Per cent by the title of a detector, one a setting, in order; NaN where a setting has no
        such detector.
    """
    means = {
        (row.detector, row.setting): 100 * row.value
        for row in sweep.rows
        if row.set == _ALL and row.metric == metric
    }
    return {
        detector_title(detector): [
            means.get((detector, setting), math.nan) for setting in sweep.settings
        ]
        for detector in dict.fromkeys(detector for detector, _ in means)
    }


def mean_intervals(sweep: Sweep, metric: str) -> dict[str, list[tuple[float, float]]]:
    """The ends of the intervals of these means, of 95 %.

    Only where one set is judged, whose own they are: sets share real images, so that a mean over
    several has none.

    Args:
        sweep: judged.
        metric: name of the figure.

    Returns:
        As `mean_figures`, low and high; NaN where there is no interval.
    """
    found = {
        (row.detector, row.setting): (100 * row.low, 100 * row.high)
        for row in sweep.rows
        if row.metric == metric and row.low is not None and row.high is not None
    }
    is_one = len({row.set for row in sweep.rows if not row.set.startswith(GROUP)}) == 1
    none = (math.nan, math.nan)
    return {
        detector_title(detector): [
            found.get((detector, setting), none) if is_one else none for setting in sweep.settings
        ]
        for detector in dict.fromkeys(row.detector for row in sweep.rows if row.metric == metric)
    }
