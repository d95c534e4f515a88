"""Stored embeddings, read in the order in which they lie: each row group once, in large pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError

from ufd_ray.errors import StorageError
from ufd_ray.storage.containers.parquet_embeddings import open_embeddings, version_of
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.stores import StorageOptions

ROWS_AT_ONCE = 4096
"""Embeddings in a piece at most: of 768 float32, 12 MB."""


def read_stored(places: Any, column: str, options: StorageOptions) -> Iterator[Any]:
    """Read the cells at some places.

    Args:
        places: `pa.StructArray` of the type of `EMBEDDING_AT`, n without nulls.
        column: the embeddings' name.
        options: how storage is reached.

    Yields:
        `pa.Array`s of lists, n cells in all, in the order of the places. Those of one file are best
        in ascending order: it is opened anew where they are not.

    Raises:
        StorageError: a file cannot be read, or is not the one that was listed.
    """
    files = places.field("file")
    codes = files.dictionary_encode().indices.to_numpy()
    groups = places.field("group").to_numpy().astype(np.int64)
    rows = places.field("row").to_numpy()
    goes_on = (np.diff(codes) == 0) & (
        (np.diff(groups) > 0) | ((np.diff(groups) == 0) & (np.diff(rows) > 0))
    )
    bounds = [0, *(np.flatnonzero(~goes_on) + 1).tolist(), len(places)]
    for start, end in pairwise(bounds):
        if start == end:
            continue
        uri = files[start].as_py()
        with _clear_errors(uri), open_embeddings(uri, options) as (parquet, info):
            if version_of(info) != places.field("version")[start].as_py():
                raise StorageError(
                    f"{uri}: it changed since its rows were listed; score it as it is now under"
                    " another --run-id"
                )
            yield from _in_order(parquet, column, groups[start:end], rows[start:end])


def _in_order(
    parquet: Any, column: str, groups: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> Iterator[Any]:
    chosen = np.unique(groups)
    sizes = np.array([parquet.metadata.row_group(int(group)).num_rows for group in chosen])
    wanted = (np.cumsum(sizes) - sizes)[np.searchsorted(chosen, groups)] + rows
    done = begun = 0
    for batch in parquet.iter_batches(ROWS_AT_ONCE, row_groups=chosen.tolist(), columns=[column]):
        upto = int(np.searchsorted(wanted, begun + len(batch)))
        if upto > done:
            cells = batch.column(0)
            here = wanted[done:upto] - begun
            yield cells if len(here) == len(cells) else cells.take(pa.array(here))
        done, begun = upto, begun + len(batch)
        if done == len(wanted):
            return
    raise LookupError(f"there are no {len(wanted)} rows where they were listed")


@contextmanager
def _clear_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"stored embeddings {uri}: the file is gone") from error
    except (OSError, LookupError, pa.ArrowException, BaseError, BotoCoreError, ClientError) as e:
        raise StorageError(f"stored embeddings {uri} cannot be read: {explain(e)}") from e


def cells_as_matrix(
    cells: Any, dim: int, dtype: npt.DTypeLike
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Lists of numbers as embeddings, rounded to the stored dtype.

    Args:
        cells: `pa.Array`, n lists of floating numbers.
        dim: numbers in an embedding.
        dtype: `float32` or `float16`.

    Returns:
        (n, dim), zeros where a list is null or of another length; (n,) their lengths, -1 for null;
        (n,) which are usable: of that length, finite, and not zero everywhere.
    """
    lengths = pc.fill_null(pc.list_value_length(cells), -1)
    sizes = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    fits = sizes == dim
    if not fits.all():
        cells = cells.filter(pa.array(fits))
    numbers = cells.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    with np.errstate(over="ignore"):  # what the dtype cannot hold is seen below
        matrix = numbers.astype(dtype, copy=False)
    if not fits.all():
        fitting = matrix
        matrix = np.zeros((len(sizes), dim), dtype)
        matrix[fits] = fitting
    return matrix, sizes, fits & np.isfinite(matrix).all(axis=1) & matrix.any(axis=1)
