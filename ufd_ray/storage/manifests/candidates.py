"""Listed images on their way into a manifest: rows of any number on disk, keys in a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.errors import SettingsError
from ufd_ray.storage.listing.columns import LISTED
from ufd_ray.storage.scratch import Scratch

_ROWS_PER_CHUNK = 250_000
_LZ4: Any = pa.ipc.IpcWriteOptions(compression="lz4")

# As `storage.uris.image_id` does it; a test compares the two.
_NAME = "SELECT left(sha256(uri || chr(0) || coalesce(member, '')), 32) AS image_id FROM chunk"
_KEEP = """
    INSERT INTO candidates
    SELECT ordinal, image_id::UUID, nullif(etag, ''), size_bytes, epoch_us(last_modified) FROM chunk
"""


class Candidates:
    """All that the inputs named, in their order, numbered 0 … n-1 (the ordinal).

    The rows lie in files; of each, the database knows `ordinal`, `key` (the image's id as 128 bits)
    and its version: `etag`, `size_bytes`, `modified` (µs), where known.

    Args:
        tables: `uri`, `etag`, `size_bytes`, `last_modified`, perhaps `member` and `offset`, then
            further columns.
        scratch: where they lie.
        limit: read no more than this many different images need.

    Raises:
        SettingsError: two tables give the same further column different types.
    """

    def __init__(self, tables: Iterable[Any], scratch: Scratch, limit: int | None = None) -> None:
        self._scratch = scratch
        scratch.database.execute(
            "CREATE TABLE candidates"
            " (ordinal BIGINT, key UUID, etag VARCHAR, size_bytes BIGINT, modified BIGINT)"
        )
        self._further: dict[str, Any] = {}
        self._waiting: list[Any] = []
        self._num_waiting = 0
        self._num_stored = 0
        self._files: list[Path] = []
        self._unversioned: list[npt.NDArray[np.bool_]] = []
        self._read(tables, limit)

    def __len__(self) -> int:
        return self._num_stored + self._num_waiting

    @property
    def further(self) -> tuple[Any, ...]:
        """Fields of the columns that are carried through."""
        return tuple(pa.field(name, kind) for name, kind in self._further.items())

    @property
    def unversioned(self) -> npt.NDArray[np.bool_]:
        """(n,), of which nothing is known that would tell one version from the next."""
        return np.concatenate([np.zeros(0, bool), *self._unversioned])

    def first_mentions(self) -> npt.NDArray[np.bool_]:
        """(n,), which ones no earlier one is the same image as."""
        firsts = np.zeros(len(self), bool)
        found = self._scratch.database.sql(
            "SELECT min(ordinal) AS ordinal FROM candidates GROUP BY key"
        )
        for batch in found.to_arrow_reader(100_000):
            firsts[batch["ordinal"].to_numpy()] = True
        return firsts

    def tables(self) -> Iterator[Any]:
        """The rows, in order.

        Yields:
            `pa.Table`s with `image_id`, the columns that were given, and nulls for those that
            another table had.
        """
        for file in self._files:
            with pa.memory_map(str(file)) as source:
                yield _filled(pa.ipc.open_file(source).read_all(), self._further)

    def _read(self, tables: Iterable[Any], limit: int | None) -> None:
        enough = limit
        for table in tables:
            self._add(table)
            if limit is not None and enough is not None and len(self) >= enough:
                self._store()
                missing = limit - int(self.first_mentions().sum())
                if missing <= 0:
                    return
                # Counting takes a look at all: an eighth more at least, so that it is done rarely.
                enough = len(self) + max(missing, len(self) // 8)
        self._store()

    def _add(self, table: Any) -> None:
        table = _filled(table, {field.name: field.type for field in LISTED})
        for column in table.schema:
            if column.name in LISTED.names:
                continue
            if self._further.setdefault(column.name, column.type) != column.type:
                raise SettingsError(
                    f"the inputs differ: column {column.name!r} is {self._further[column.name]} in"
                    f" one and {column.type} in another; give it one type"
                )
        further = [name for name in table.column_names if name not in LISTED.names]
        own = table.select(LISTED.names).cast(LISTED)
        for name in further:
            own = own.append_column(name, table[name])
        for start in range(0, len(own), _ROWS_PER_CHUNK):
            piece = own.slice(start, _ROWS_PER_CHUNK)
            self._waiting.append(piece)
            self._num_waiting += len(piece)
            if self._num_waiting >= _ROWS_PER_CHUNK:
                self._store()

    def _store(self) -> None:
        if not self._num_waiting:
            return
        chunk = pa.concat_tables(self._waiting, promote_options="default")
        self._waiting, self._num_waiting = [], 0
        ordinals = np.arange(self._num_stored, self._num_stored + len(chunk))
        self._num_stored += len(chunk)
        # Own columns only: a further one may be called `ordinal`, or have a type foreign to DuckDB.
        known = chunk.select(LISTED.names)
        with self._scratch.named("chunk", known):
            names = self._scratch.database.sql(_NAME).to_arrow_table()["image_id"]
        known = known.append_column("image_id", names).append_column("ordinal", pa.array(ordinals))
        with self._scratch.named("chunk", known):
            self._scratch.database.execute(_KEEP)
        chunk = chunk.add_column(0, "image_id", names)
        self._unversioned.append(_unversioned(chunk))
        self._files.append(self._scratch.folder / f"chunk-{len(self._files):05d}.arrow")
        with pa.ipc.new_file(str(self._files[-1]), chunk.schema, options=_LZ4) as sink:
            sink.write_table(chunk)


def _filled(table: Any, columns: dict[str, Any]) -> Any:
    for name, kind in columns.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), kind))
    return table


def _unversioned(rows: Any) -> npt.NDArray[np.bool_]:
    no_date = pc.or_(pc.is_null(rows["size_bytes"]), pc.is_null(rows["last_modified"]))
    return np.asarray(pc.and_(pc.is_null(rows["etag"]), no_date), bool)
