"""Inputs → a run's own manifest: every image once, with its place, as Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError
from ufd_ray.schema import MANIFEST
from ufd_ray.storage.objects import write_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import image_id, join_uri

_ROWS_PER_FILE = 500_000


@dataclass(frozen=True)
class ManifestInfo:
    """What a manifest holds.

    Attributes:
        num_images: its rows; the positions are 0 … num_images - 1.
        num_repeated: images that the inputs named more than once; they are counted once.
        further: fields of the columns that are carried through.
    """

    num_images: int
    num_repeated: int
    further: tuple[Any, ...]


def number_images(tables: Iterable[Any], limit: int | None = None) -> Iterator[Any]:
    """Give each image its id and position; leave out those that came before.

    Args:
        tables: as `Inputs.tables` yields them.
        limit: stop after so many images.

    Yields:
        `pa.Table`s with the columns of `MANIFEST`, then the further ones of their input.
    """
    seen: set[bytes] = set()
    for table in tables:
        uris = table["uri"].to_pylist()
        ids = [image_id(uri) for uri in uris]
        kept: list[int] = []
        for row, name in enumerate(ids):
            key = bytes.fromhex(name)
            if key not in seen and (limit is None or len(seen) < limit):
                seen.add(key)
                kept.append(row)
        first = len(seen) - len(kept)
        table = table.append_column("image_id", pa.array(ids, pa.string()))
        table = table.take(pa.array(kept, pa.int64()))
        table = table.append_column("position", pa.array(range(first, len(seen)), pa.int64()))
        table = table.append_column("member", pa.nulls(len(kept), pa.string()))
        own = [f.name for f in MANIFEST]
        yield table.select(own + [n for n in table.column_names if n not in own])
        if limit is not None and len(seen) >= limit:
            return


def write_manifest(
    folder: str,
    tables: Iterable[Any],
    options: StorageOptions,
    limit: int | None = None,
    checked: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> ManifestInfo:
    """Write the manifest of a run.

    Args:
        folder: where its Parquet files go.
        tables: as `Inputs.tables` yields them.
        options: how storage is reached.
        limit: only the first so many images.
        checked: passes the numbered tables on, or raises.

    Raises:
        SettingsError: two inputs give the same further column different types.
        StorageError: the folder cannot be written.
    """
    counted = _Counted(tables)
    numbered: list[Any] = []
    further: dict[str, Any] = {}
    for table in checked(number_images(counted, limit)):
        for column in list(table.schema)[len(MANIFEST) :]:
            if further.setdefault(column.name, column.type) != column.type:
                raise SettingsError(
                    f"--input: column {column.name!r} is {further[column.name]} in one manifest"
                    f" and {column.type} in another; give it one type"
                )
        numbered.append(table)
    rows = _unified(numbered, further)
    for number, start in enumerate(range(0, max(len(rows), 1), _ROWS_PER_FILE)):
        sink = io.BytesIO()
        try:
            pq.write_table(rows.slice(start, _ROWS_PER_FILE), sink)
        except pa.ArrowException as error:
            raise SettingsError(f"--input: a column cannot be carried through ({error})") from error
        write_object(join_uri(folder, f"part-{number:05d}.parquet"), sink.getvalue(), options)
    return ManifestInfo(
        num_images=len(rows),
        num_repeated=counted.num_rows - len(rows) if limit is None else 0,
        further=tuple(pa.field(name, kind) for name, kind in further.items()),
    )


class _Counted:
    """The tables as they pass, with a count of their rows."""

    def __init__(self, tables: Iterable[Any]) -> None:
        self._tables = tables
        self.num_rows = 0

    def __iter__(self) -> Iterator[Any]:
        for table in self._tables:
            self.num_rows += len(table)
            yield table


def _unified(tables: list[Any], further: dict[str, Any]) -> Any:
    schema = pa.schema([*MANIFEST, *(pa.field(n, kind) for n, kind in further.items())])
    filled = []
    for table in tables:
        for name, kind in further.items():
            if name not in table.column_names:
                table = table.append_column(name, pa.nulls(len(table), kind))
        filled.append(table.select(schema.names).cast(schema))
    return pa.concat_tables(filled) if filled else schema.empty_table()
