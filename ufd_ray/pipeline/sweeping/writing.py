"""What sweeps leave behind: their figures as tables, and as drawings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ufd_ray.evaluation.judging import ACCURACY, AVERAGE_PRECISION
from ufd_ray.evaluation.sweeps import KINDS, Sweep, mean_figures, mean_intervals
from ufd_ray.pipeline.evaluating.files import write_csv
from ufd_ray.report.figures import Drawing, points_figure, sweep_figure
from ufd_ray.schema import SWEEPS
from ufd_ray.storage import StorageOptions, write_table

_DRAWN = {
    "": (AVERAGE_PRECISION, "mean average precision, %"),
    "-accuracy": (ACCURACY, "mean accuracy, %"),
}
"""End of a figure's name → metric, and what it is called."""


def write_sweeps(
    root: str, sweeps: Sequence[Sweep], storage: StorageOptions
) -> list[dict[str, Any]]:
    """Write `sweeps.parquet` and `sweeps.csv`.

    Args:
        root: URI of the evaluation.
        sweeps: judged.
        storage: how it is reached.

    Returns:
        Of each file what `evaluation.json` says of it.

    Raises:
        StorageError: a file cannot be written.
    """
    rows = [asdict(row) for sweep in sweeps for row in sweep.rows]
    table = pa.Table.from_pylist(rows, pa.schema(SWEEPS))
    files = [
        write_table(root, "sweeps.parquet", table, storage),
        write_csv(root, "sweeps.csv", table, storage),
    ]
    return [file.to_dict() for file in files]


def sweep_drawings(sweeps: Sequence[Sweep]) -> dict[str, Drawing]:
    """Name of a file, without its ending → the means over all sets at each setting.

    Where no set can be judged by what all settings scored, which its section says, there is none.
    """
    return {
        f"sweep-{sweep.name}{end}": _drawing(sweep, metric, label)
        for sweep in sweeps
        for end, (metric, label) in _DRAWN.items()
        if mean_figures(sweep, metric)
    }


def _drawing(sweep: Sweep, metric: str, label: str) -> Drawing:
    kind, series = KINDS[sweep.name], mean_figures(sweep, metric)
    if kind.is_scale:
        return sweep_figure(kind.title, kind.axis, sweep.settings, series, label)
    intervals = mean_intervals(sweep, metric)
    return points_figure(kind.title, kind.axis, sweep.settings, series, intervals, label)


def describe_sweeps(sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """`sweeps` of `evaluation.json`."""
    return {
        sweep.name: {
            "settings": list(sweep.settings),
            "images": sweep.num_images,
            "left_out": list(sweep.left_out),
            "notes": sweep.notes,
            "mean_average_precision": _told(mean_figures(sweep, AVERAGE_PRECISION)),
            "mean_accuracy": _told(mean_figures(sweep, ACCURACY)),
        }
        for sweep in sweeps
    }


def _told(figures: Mapping[str, Sequence[float]]) -> dict[str, list[float | None]]:
    """JSON has no NaN."""
    return {
        name: [None if math.isnan(value) else value for value in values]
        for name, values in figures.items()
    }
