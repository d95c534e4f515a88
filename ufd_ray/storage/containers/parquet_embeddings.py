"""Parquet with embeddings in a column: whether they are usable ones, and where each lies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.schema import EMBEDDING_AT
from ufd_ray.storage.entries import ObjectInfo
from ufd_ray.storage.ranged import find_local, open_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import parse_uri

_BUFFER = 8 * 2**20
_FLOATS = (pa.float16(), pa.float32(), pa.float64())


@contextmanager
def open_embeddings(uri: str, options: StorageOptions) -> Iterator[tuple[Any, ObjectInfo]]:
    """Open a file for reading in order; row groups of any size pass through a buffer.

    Yields:
        `pq.ParquetFile`, and what is known of the version that it reads.

    Raises:
        FileNotFoundError, OSError, pyarrow.ArrowException, obstore.exceptions.BaseError: it cannot.
    """
    if parse_uri(uri).scheme == "file":
        # Not as a Python file, through which Arrow reads with a copy more: a third slower.
        path, found = find_local(uri)
        with pa.OSFile(path) as local:
            yield pq.ParquetFile(local, buffer_size=_BUFFER), found
        return
    file, info = open_object(uri, options, buffer_size=_BUFFER)
    with file:
        yield pq.ParquetFile(file, buffer_size=_BUFFER), info


def version_of(info: ObjectInfo) -> str:
    """What tells one version of a file from the next, as one text."""
    return info.etag or f"{info.size_bytes} bytes of {info.last_modified}"


def why_unusable(parquet: Any, column: str, dim: int) -> str | None:
    """Why a file's embeddings are none of this length; None: as far as its footer says, they are.

    Of lists of any length the footer tells how many numbers there are in all, so that a file of
    another encoder is told from one in which a row is too short: that is the row's own error.

    Args:
        parquet: `pq.ParquetFile`.
        column: the embeddings' name.
        dim: numbers in an embedding.
    """
    schema = parquet.schema_arrow
    columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
    if schema.names.count(column) != 1:
        return f"no column {column!r} (--embedding-column names another one); found {columns}"
    kind = schema.field(column).type
    has_size = pa.types.is_fixed_size_list(kind)
    is_list = has_size or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_list or kind.value_type not in _FLOATS:
        return (
            f"column {column!r} is {kind}; expected lists of float16, float32 or float64, of fixed"
            " size or any"
        )
    if has_size:
        return None if kind.list_size == dim else _other_size(f"{kind.list_size}", dim)
    means = _mean_lengths(parquet, column)
    if means is None or means[0] - 1 < dim < means[1] + 1:
        return None
    return _other_size(f"{means[1]:.6g} (mean)", dim)


def _mean_lengths(parquet: Any, column: str) -> tuple[float, float] | None:
    """Numbers in a list, on average over those that are neither null nor empty, at least and most.

    A null list, an empty one and a null number are one null value each, and nothing tells which.
    """
    leaf = next(
        leaf
        for leaf in range(parquet.metadata.num_columns)
        if parquet.schema.column(leaf).path.startswith(f"{column}.")
    )
    num_rows = num_values = num_nulls = 0
    for number in range(parquet.num_row_groups):
        group = parquet.metadata.row_group(number)
        chunk = group.column(leaf)
        if chunk.statistics is None or not chunk.statistics.has_null_count:
            return None
        num_rows += group.num_rows
        num_values += chunk.num_values
        num_nulls += chunk.statistics.null_count
    if num_rows <= num_nulls:
        return None
    return num_values / num_rows, (num_values - num_nulls) / (num_rows - num_nulls)


def _other_size(size: str, dim: int) -> str:
    return f"its embeddings have {size} numbers, and the detectors take {dim}"


def embedding_places(parquet: Any, info: ObjectInfo, rows: npt.NDArray[np.int64]) -> Any:
    """Where the embeddings of some rows lie.

    Args:
        parquet: `pq.ParquetFile`.
        info: what is known of it.
        rows: (n,) rows of the file; -1 for an image that has none there.

    Returns:
        `pa.StructArray` of the type of `EMBEDDING_AT`, null for -1.
    """
    sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
    ends = np.cumsum(np.array(sizes, np.int64))
    groups = np.searchsorted(ends, rows, side="right")
    starts = np.append(ends - sizes, 0)[groups]
    values = (
        pa.repeat(pa.scalar(info.uri), len(rows)),
        pa.repeat(pa.scalar(version_of(info)), len(rows)),
        pa.array(groups.astype(np.int32)),
        pa.array(rows - starts),
    )
    return pa.StructArray.from_arrays(
        values, fields=list(EMBEDDING_AT.type), mask=pa.array(rows < 0)
    )
