"""Embeddings as a column of a table, and as a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def embedding_matrix(column: Any) -> npt.NDArray[np.floating[Any]]:
    """A fixed-size-list column without nulls as a matrix, without a copy where it is one chunk.

    Args:
        column: `pa.Array` or `pa.ChunkedArray` of fixed_size_list<float>[dim], n rows.

    Returns:
        (n, dim), float32 or float16 as stored, perhaps read-only.
    """
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:  # combine_chunks() would copy it, a whole bank perhaps
            column = column.chunk(0)
        elif column.num_chunks:
            column = column.combine_chunks()
        else:
            column = pa.array([], column.type)
    matrix: npt.NDArray[np.floating[Any]] = column.flatten().to_numpy(zero_copy_only=False)
    return matrix.reshape(len(column), column.type.list_size)


def embedding_column(
    matrix: npt.NDArray[np.floating[Any]], valid: npt.NDArray[np.bool_] | None = None
) -> Any:
    """The inverse of `embedding_matrix`: (n, dim) → fixed_size_list<float>[dim].

    Args:
        matrix: (n, dim), float32 or float16.
        valid: (n,), which rows are no nulls; None: all.
    """
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    mask = None if valid is None else pa.array(~valid)
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1], mask=mask)
