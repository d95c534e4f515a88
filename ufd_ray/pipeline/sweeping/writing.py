"""What sweeps leave behind: their figures as tables, and as drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ufd_ray.evaluation.judging import ACCURACY, AVERAGE_PRECISION
from ufd_ray.evaluation.sweeps import KINDS, Sweep, mean_figures
from ufd_ray.pipeline.evaluating.files import write_bytes, write_csv
from ufd_ray.report.figures import sweep_figure
from ufd_ray.schema import SWEEPS
from ufd_ray.storage import PublishedFile, StorageOptions, write_table

_DRAWN = {
    "": (AVERAGE_PRECISION, "mean average precision, %"),
    "-accuracy": (ACCURACY, "mean accuracy, %"),
}
"""End of a figure's name → metric, and what it is called."""


def write_sweeps(
    root: str, sweeps: Sequence[Sweep], storage: StorageOptions
) -> list[PublishedFile]:
    """Write `sweeps.parquet`, `sweeps.csv`, and the figures of each sweep.

    Args:
        root: URI of the evaluation.
        sweeps: judged.
        storage: how it is reached.

    Raises:
        StorageError: a file cannot be written.
    """
    rows = [asdict(row) for sweep in sweeps for row in sweep.rows]
    table = pa.Table.from_pylist(rows, pa.schema(SWEEPS))
    files = [
        write_table(root, "sweeps.parquet", table, storage),
        write_csv(root, "sweeps.csv", table, storage),
    ]
    for sweep in sweeps:
        for end, (metric, label) in _DRAWN.items():
            series = mean_figures(sweep, metric)
            if not series:
                continue  # no set can be judged by what all settings scored; its section says so
            kind, name = KINDS[sweep.name], f"figures/sweep-{sweep.name}{end}"
            drawing = sweep_figure(kind.title, kind.axis, sweep.settings, series, label)
            files.append(write_bytes(root, f"{name}.svg", drawing.svg, 0, storage))
            files.append(write_bytes(root, f"{name}.png", drawing.png, 0, storage))
    return files


def describe_sweeps(sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """`sweeps` of `evaluation.json`."""
    return {
        sweep.name: {
            "settings": list(sweep.settings),
            "images": sweep.num_images,
            "left_out": list(sweep.left_out),
            "notes": sweep.notes,
            "mean_average_precision": mean_figures(sweep, AVERAGE_PRECISION),
            "mean_accuracy": mean_figures(sweep, ACCURACY),
        }
        for sweep in sweeps
    }
