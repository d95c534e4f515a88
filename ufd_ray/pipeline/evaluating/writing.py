"""What an evaluation leaves behind, but for its document: figures as tables, scores, rejects."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.csv

from ufd_ray.evaluation import Row, ScoreColumn, tables_text
from ufd_ray.pipeline.evaluating.bias import Guard
from ufd_ray.pipeline.evaluating.scores import Collected
from ufd_ray.schema import METRICS
from ufd_ray.storage import PublishedFile, StorageOptions, join_uri, write_object, write_table


def write_files(
    root: str,
    rows: Sequence[Row],
    columns: Sequence[ScoreColumn],
    collected: Collected,
    left_out: Mapping[str, str],
    guard: Guard | None,
    storage: StorageOptions,
) -> list[dict[str, Any]]:
    """Write all files but `evaluation.json`.

    Args:
        root: URI of the evaluation.
        rows: all figures.
        columns: the detectors.
        collected: what they said.
        left_out: sets without figures → the reason.
        guard: what their files tell; None: nobody asked.
        storage: how it is reached.

    Returns:
        Of each file what `evaluation.json` says of it.

    Raises:
        StorageError: one cannot be written.
    """
    schema = pa.schema(METRICS)
    metrics = pa.Table.from_pylist([asdict(row) for row in rows], schema)
    csv = io.BytesIO()
    pa.csv.write_csv(metrics, csv)
    names = [column.name for column in columns]
    text = tables_text(rows, names, left_out, guard.table() if guard else ())
    files = [
        write_table(root, "scores.parquet", collected.scores, storage),
        write_table(root, "rejects.parquet", collected.rejected, storage),
        write_table(root, "metrics.parquet", metrics, storage),
        _write_bytes(root, "metrics.csv", csv.getvalue(), len(metrics), storage),
        _write_bytes(root, "tables.md", text.encode("utf-8", "backslashreplace"), 0, storage),
    ]
    return [file.to_dict() for file in files]


def _write_bytes(
    root: str, name: str, data: bytes, num_rows: int, storage: StorageOptions
) -> PublishedFile:
    write_object(join_uri(root, name), data, storage)
    return PublishedFile(name, num_rows, hashlib.sha256(data).hexdigest(), len(data))
