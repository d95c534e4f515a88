"""Local room for tables of any length: a temporary folder, and DuckDB in it."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ufd_ray.errors import StorageError

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "1GB",  # beyond it DuckDB spills into the folder
    "autoinstall_known_extensions": False,  # nothing is downloaded
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a name in SQL is a table, never a Python variable
    # Joins are done as they are written: the right side, whose length is bounded, is held, and the
    # left one streams past. Of a stream DuckDB knows no length and would choose by chance.
    "disabled_optimizers": "join_order,build_side_probe_side",
}


@dataclass(frozen=True)
class Scratch:
    """A folder for files of our own, and a database for keys.

    Attributes:
        folder: gone when the work is done.
        database: DuckDB on a file in it.
    """

    folder: Path
    database: duckdb.DuckDBPyConnection

    @contextmanager
    def named(self, name: str, rows: Any) -> Iterator[None]:
        """Let SQL know `rows` (a `pa.Table`, or a reader that is read once) as the table `name`."""
        self.database.register(name, rows)
        try:
            yield
        finally:
            self.database.unregister(name)


@contextmanager
def open_scratch() -> Iterator[Scratch]:
    """Open a scratch folder where Python puts temporary files (`TMPDIR`), and remove it at the end.

    Raises:
        StorageError: there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="ufd-ray-") as folder:
        spill = str(Path(folder, "spill"))
        try:
            with duckdb.connect(
                str(Path(folder, "keys.duckdb")), config=_SETTINGS | {"temp_directory": spill}
            ) as database:
                # After two seconds it would write to the terminal.
                database.execute("SET enable_progress_bar = false")
                yield Scratch(Path(folder), database)
        except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.ENOSPC:
                raise
            raise StorageError(
                f"temporary folder {folder}: {' '.join(str(error).split())[:300]}; give it more"
                " room, or set TMPDIR to a place that has some"
            ) from error
