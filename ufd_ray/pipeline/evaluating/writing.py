"""What an evaluation leaves behind, but for its document: figures as tables, scores, rejects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ufd_ray.evaluation import Row, ScoreColumn, tables_text
from ufd_ray.evaluation.sweeps import Sweep, sweep_lines
from ufd_ray.pipeline.evaluating.bias import Guard
from ufd_ray.pipeline.evaluating.files import write_bytes, write_csv
from ufd_ray.pipeline.evaluating.scores import Collected
from ufd_ray.report.figures import Drawing
from ufd_ray.schema import METRICS
from ufd_ray.storage import StorageOptions, write_table


def write_files(
    root: str,
    rows: Sequence[Row],
    columns: Sequence[ScoreColumn],
    collected: Collected,
    left_out: Mapping[str, str],
    guard: Guard | None,
    storage: StorageOptions,
    sweeps: Sequence[Sweep] = (),
    first: Sequence[Sequence[str]] = (),
) -> list[dict[str, Any]]:
    """Write figures, scores and rejects.

    Args:
        root: URI of the evaluation.
        rows: all figures.
        columns: the detectors.
        collected: what they said.
        left_out: sets without figures → the reason.
        guard: what their files tell; None: nobody asked.
        storage: how it is reached.
        sweeps: what was varied, for `tables.md`.
        first: sections before those of files and sweeps, lines each.

    Returns:
        Of each file what `evaluation.json` says of it.

    Raises:
        StorageError: one cannot be written.
    """
    schema = pa.schema(METRICS)
    metrics = pa.Table.from_pylist([asdict(row) for row in rows], schema)
    names = [column.name for column in columns]
    sections = [*first, *([guard.table()] if guard else ()), *map(sweep_lines, sweeps)]
    lines = [line for section in sections for line in ("", *section)][1:]
    text = tables_text(rows, names, left_out, lines)
    files = [
        write_table(root, "scores.parquet", collected.scores, storage),
        write_table(root, "rejects.parquet", collected.rejected, storage),
        write_table(root, "metrics.parquet", metrics, storage),
        write_csv(root, "metrics.csv", metrics, storage),
        write_bytes(root, "tables.md", text.encode("utf-8", "backslashreplace"), 0, storage),
    ]
    return [file.to_dict() for file in files]


def write_figures(
    root: str, drawings: Mapping[str, Drawing], storage: StorageOptions
) -> list[dict[str, Any]]:
    """Write `figures/NAME.svg` and `figures/NAME.png`; the rest as of `write_files`.

    Args:
        root: URI of the evaluation.
        drawings: by name.
        storage: how it is reached.
    """
    kinds = {
        f"figures/{name}.{kind}": data
        for name, drawing in drawings.items()
        for kind, data in (("svg", drawing.svg), ("png", drawing.png))
    }
    return [write_bytes(root, name, kinds[name], 0, storage).to_dict() for name in sorted(kinds)]
