"""Parquet with image bytes in a column: which column that is, and one row an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ufd_ray.errors import SettingsError

_ROWS = 10_000


def find_image_column(given: str, schema: Any, named: str | None) -> str | None:
    """The column of image bytes; None where the file is a manifest.

    Bytes are a binary column, or a struct with a binary child `bytes`, as Hugging Face writes
    images. A file with a text column `uri` and no bytes is a manifest.

    Args:
        given: how the user named the file, for the message: `--input …`.
        schema: its Arrow schema.
        named: `--image-column`.

    Raises:
        SettingsError: no column of bytes, or several and none is named, or it is not the named one.
    """
    columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
    found = [field.name for field in schema if holds_bytes(field.type)]
    if not found:
        if "uri" in schema.names:
            return None
        raise SettingsError(
            f"{given}: neither a manifest, which has a text column `uri`, nor images, which are a"
            f" column of bytes; found {columns}"
        )
    if named is not None:
        if found.count(named) != 1:
            raise SettingsError(
                f"{given}: --image-column {named} is no column of bytes there; found {columns}"
            )
        return named
    if len(found) > 1:
        raise SettingsError(
            f"{given}: several columns of bytes; name the images' with --image-column; found"
            f" {columns}"
        )
    return str(found[0])


def holds_bytes(kind: Any) -> bool:
    """Whether a column of this Arrow type may hold images."""
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_binary(kind.field(place).type)
    return _is_binary(kind)


def _is_binary(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def other_columns(file: Any) -> Iterator[tuple[range, dict[str, Any]]]:
    """Read everything but the bytes, a batch at a time.

    Args:
        file: `pq.ParquetFile`.

    Yields:
        The numbers of the rows, and the columns; once at least.
    """
    names = [field.name for field in file.schema_arrow if not holds_bytes(field.type)]
    num_rows = file.metadata.num_rows
    if not names or not num_rows:
        empty = file.schema_arrow.empty_table()
        for start in range(0, max(num_rows, 1), _ROWS):
            rows = range(start, min(start + _ROWS, num_rows))
            yield rows, {name: empty[name] for name in names}
        return
    start = 0
    for batch in file.iter_batches(_ROWS, columns=names):
        table = pa.Table.from_batches([batch])
        yield range(start, start + len(batch)), {name: table[name] for name in names}
        start += len(batch)


def read_cells(file: Any, column: str, rows: list[int]) -> dict[int, bytes | None]:
    """The bytes of some rows. Only the row groups that hold them are read, of one column.

    Args:
        file: `pq.ParquetFile`.
        column: as `find_image_column` found it.
        rows: numbers of rows; those that there are none of are not in the answer.
    """
    is_struct = pa.types.is_struct(file.schema_arrow.field(column).type)
    path = f"{column}.bytes" if is_struct else column
    cells: dict[int, bytes | None] = {}
    start = 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        here = [row for row in rows if start <= row < end]
        first = start
        for batch in file.iter_batches(64, row_groups=[group], columns=[path]) if here else ():
            cell_column = batch.column(batch.schema.get_field_index(column))
            for row in here:
                if first <= row < first + len(batch):
                    cell = cell_column[row - first].as_py()
                    cells[row] = cell["bytes"] if is_struct and cell is not None else cell
            first += len(batch)
        start = end
    return cells
