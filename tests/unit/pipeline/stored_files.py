"""Parquet files of embeddings, made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

DIM = 4


def vectors(num_rows: int, dim: int = DIM, seed: int = 0) -> npt.NDArray[np.float64]:
    """(num_rows, dim), float64, no two rows alike."""
    return np.random.default_rng(seed).normal(size=(num_rows, dim))


def write_embeddings(
    path: Path,
    rows: Any,
    *,
    kind: Any = None,
    column: str = "embedding",
    rows_per_group: int = 3,
    metadata: dict[str, str] | None = None,
    **others: Any,
) -> Path:
    """Write a file.

    Args:
        path: where.
        rows: lists of numbers, or None.
        kind: Arrow type of the column; None: lists of float32.
        column: its name.
        rows_per_group: rows in a row group.
        metadata: of the file.
        others: further columns.
    """
    cells = [
        None if row is None else [None if x is None else float(x) for x in row] for row in rows
    ]
    table = pa.table({**others, column: pa.array(cells, kind or pa.list_(pa.float32()))})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=rows_per_group)
    return path
