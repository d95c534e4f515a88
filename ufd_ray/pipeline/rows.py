"""Columns in and out of the Arrow tables that stages hand each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.errors import ImageError, one_line
from ufd_ray.schema import IMAGE, STATUS

_TYPES = {field.name: field.type for field in (*IMAGE, *STATUS)}


def put(rows: Any, name: str, values: Sequence[Any]) -> Any:
    """The table with a column of the schema's type, in its old place or at the end.

    Args:
        rows: `pa.Table`, n rows.
        name: of a column of `IMAGE` or `STATUS`.
        values: n of them, None for null.
    """
    field = pa.field(name, _TYPES[name])
    column = pa.array(values, field.type)
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), field, column)
    return rows.append_column(field, column)


def put_errors(rows: Any, errors: Sequence[ImageError | None]) -> Any:
    """The table with `error_code` and `error_message` of the rows that failed just now.

    An error that a row has already stays: it is the first thing that went wrong.
    """
    codes: list[str | None] = [None] * len(rows)
    messages: list[str | None] = [None] * len(rows)
    if "error_code" in rows.column_names:
        codes, messages = rows["error_code"].to_pylist(), rows["error_message"].to_pylist()
    for row, error in enumerate(errors):
        if error is not None and codes[row] is None:
            codes[row], messages[row] = error.code.value, one_line(error.message)
    return put(put(rows, "error_code", codes), "error_message", messages)


def pixel_batch(column: Any, size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The pixels of the rows that have some.

    Returns:
        uint8 (m, size, size, 3), and a mask (n,) that says which of the n rows these m are.
    """
    valid = np.asarray(column.is_valid())
    data = b"".join(column.filter(pa.array(valid)).to_pylist())
    return np.frombuffer(data, np.uint8).reshape(-1, size, size, 3), valid


def view_batch(rows: Any, size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The pixels of all augmented views.

    Args:
        rows: `pa.Table`, n rows, perhaps with `view_pixels`.
        size: side of a view, pixels.

    Returns:
        uint8 (m, size, size, 3), and how many of these m are each row's, (n,).
    """
    with_views = "view_pixels" in rows.column_names
    files = rows["view_pixels"].to_pylist() if with_views else [None] * len(rows)
    data = [pixels or b"" for pixels in files]
    counts = np.array([len(pixels) for pixels in data], np.int64) // (3 * size**2)
    return np.frombuffer(b"".join(data), np.uint8).reshape(-1, size, size, 3), counts
