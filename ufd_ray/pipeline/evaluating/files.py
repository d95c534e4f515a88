"""Files of an evaluation that are no Parquet."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pyarrow.csv

from ufd_ray.storage import PublishedFile, StorageOptions, join_uri, marked, write_object


def write_csv(root: str, name: str, table: Any, storage: StorageOptions) -> PublishedFile:
    """Write a `pa.Table` as CSV; arguments and errors as for `write_bytes`.

    A spreadsheet finds no formula in the names of sets, which may be strangers'.
    """
    csv = io.BytesIO()
    table = table.set_column(table.column_names.index("set"), "set", marked(table["set"]))
    pyarrow.csv.write_csv(table, csv)
    return write_bytes(root, name, csv.getvalue(), len(table), storage)


def write_bytes(
    root: str, name: str, data: bytes, num_rows: int, storage: StorageOptions
) -> PublishedFile:
    """Write a file.

    Args:
        root: URI of the evaluation.
        name: path below it.
        data: its bytes.
        num_rows: of a table in it; 0: there is none.
        storage: how it is reached.

    Raises:
        StorageError: it cannot be written.
    """
    write_object(join_uri(root, *name.split("/")), data, storage)
    return PublishedFile(name, num_rows, hashlib.sha256(data).hexdigest(), len(data))
