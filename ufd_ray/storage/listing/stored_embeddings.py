"""Parquet files of embeddings → the images that they are of; no embedding is read for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.redaction import find_secret
from ufd_ray.schema import EMBEDDING_AT, OWN_NAMES
from ufd_ray.storage.banks import read_bank_info
from ufd_ray.storage.containers.parquet_embeddings import (
    embedding_places,
    open_embeddings,
    version_of,
    why_unusable,
)
from ufd_ray.storage.documents import find_document
from ufd_ray.storage.listing.columns import LISTED, listed_table, typed_column
from ufd_ray.storage.listing.input_errors import told_in_one_line
from ufd_ray.storage.listing.named_images import absolute_names, folder_of
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

ENCODER_ID, PRECISION = b"ufd_ray.encoder_id", b"ufd_ray.precision"
"""Keys of a Parquet file's own metadata that tell how its embeddings were made."""

_ROWS = 65_536
_THREADS = 16
_OF_THE_IMAGE = ("content_hash", "format", "width", "height")
_OF_THE_FILE = ("etag", "size_bytes", "last_modified", "member")
_PLACES = "a Parquet file, a folder with some below it, a bank, or the folder of a published run"


@dataclass(frozen=True)
class StoredFile:
    """A file of embeddings that can be used, as far as its footer says.

    Attributes:
        uri: its name.
        version: what it was when it was looked at (`version_of`).
        num_rows: rows in it.
        encoder_id: of the encoder that its embeddings are from; None: nothing tells.
        precision: in which that encoder computed; None: nothing tells.
        is_shard: a bank's; only view 0, the image itself, is an image.
    """

    uri: str
    version: str
    num_rows: int
    encoder_id: str | None
    precision: str | None
    is_shard: bool


@dataclass
class StoredEmbeddings:
    """What `--embeddings` names, but for runs.

    Attributes:
        column: the embeddings' name.
        dim: numbers in an embedding.
        options: how storage is reached.
        ignored_columns: columns that bear the name of a column of the scores (filled while rows
            are listed).
    """

    column: str
    dim: int
    options: StorageOptions
    ignored_columns: set[str] = field(default_factory=set)

    def find(self, place: str) -> list[StoredFile]:
        """Find the files of a place, and look at all their footers.

        Args:
            place: a Parquet file; a folder or prefix, for all `*.parquet` below it; a bank.

        Raises:
            SettingsError: nothing is there, or a file has no embeddings like these.
            StorageError: the storage refuses.
        """
        given = f"--embeddings {place}"
        is_bank = not place.lower().endswith(".parquet") and find_document(
            place, "bank.json", given, self.options
        )
        if is_bank:
            bank = read_bank_info(place, self.options, given)
            uris = [join_uri(place, *shard["name"].split("/")) for shard in bank.shards]
            look = partial(self._look_at, encoder_id=bank.encoder.get("encoder_id"), is_shard=True)
        else:
            with told_in_one_line(place, "Parquet", flag="--embeddings", places=_PLACES):
                entries = [entry.uri for page in list_prefix(place, self.options) for entry in page]
            uris = [uri for uri in entries if uri.lower().endswith(".parquet")]
            if not uris:
                raise SettingsError(f"{given}: no *.parquet there; expected {_PLACES}")
            look = partial(self._look_at, encoder_id=None, is_shard=False)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="footers") as threads:
            return list(threads.map(look, uris))

    def _look_at(self, uri: str, encoder_id: str | None, is_shard: bool) -> StoredFile:
        with (
            told_in_one_line(uri, "Parquet", flag="--embeddings", places=_PLACES),
            open_embeddings(uri, self.options) as (parquet, info),
        ):
            if why := why_unusable(parquet, self.column, self.dim):
                raise SettingsError(f"--embeddings {uri}: {why}")
            told = parquet.schema_arrow.metadata or {}
            said = {key: told[key].decode() for key in (ENCODER_ID, PRECISION) if key in told}
            return StoredFile(
                uri,
                version_of(info),
                parquet.metadata.num_rows,
                said.get(ENCODER_ID, encoder_id),
                said.get(PRECISION),
                is_shard,
            )

    def tables(self, files: Sequence[StoredFile]) -> Iterator[Any]:
        """The images, in order, never a whole file of them at once.

        Yields:
            `pa.Table`s with the columns `LISTED`, then further ones; among them `embedding_at`, and
            of `STATUS` what the files know.

        Raises:
            SettingsError: columns or values that cannot be used.
            StorageError: a file is not what it was, or the storage refuses.
        """
        for file in files:
            with (
                told_in_one_line(file.uri, "Parquet", flag="--embeddings", places=_PLACES),
                open_embeddings(file.uri, self.options) as (parquet, info),
            ):
                if version_of(info) != file.version:
                    raise StorageError(f"--embeddings {file.uri}: it changed while it was read")
                for first, table in _other_columns(parquet, self.column):
                    rows = np.arange(first, first + len(table))
                    if file.is_shard:
                        wanted = np.asarray(table["view"]) == 0
                        table = table.filter(pa.array(wanted)).drop_columns(["view"])
                        rows = rows[wanted]
                    listed = self._listed(info, table, rows)
                    places = embedding_places(parquet, info, rows)
                    yield listed.append_column(EMBEDDING_AT, places)

    def _listed(self, info: Any, table: Any, rows: Any) -> Any:
        given, names = f"--embeddings {info.uri}", table.column_names
        if len(set(names)) < len(names):
            raise SettingsError(f"{given}: two columns of one name in {names}")
        has_names = "uri" in names
        known: dict[str, Any] = {}
        further: dict[str, Any] = {}
        for name in names:
            if name in _OF_THE_IMAGE or (name in LISTED.names and name != "offset" and has_names):
                column = typed_column(given, name, table[name])
                (further if name in _OF_THE_IMAGE else known)[name] = column
            elif name not in OWN_NAMES:
                further[name] = typed_column(given, name, table[name])
            elif name != "image_id":  # which `uri` and `member` make anew
                self.ignored_columns.add(name)
        if "content_hash" in further:
            further["content_hash"] = _checked_hashes(given, further["content_hash"])
        if has_names:
            known["uri"] = _checked_names(given, info.uri, known["uri"], rows)
        else:
            known = _named_by_file(info, rows)
        return listed_table(known, further, len(table))


def _other_columns(parquet: Any, column: str) -> Iterator[tuple[int, Any]]:
    names = [name for name in parquet.schema_arrow.names if name != column]
    num_rows = parquet.metadata.num_rows
    if not names:
        for first in range(0, num_rows, _ROWS):
            empty = pa.table({"row": pa.nulls(min(_ROWS, num_rows - first))})
            yield first, empty.select([])
        return
    first = 0
    for batch in parquet.iter_batches(_ROWS, columns=names):
        yield first, pa.Table.from_batches([batch])
        first += len(batch)


def _named_by_file(info: Any, rows: Any) -> dict[str, Any]:
    """As images that lie in a column of Parquet are: the file, and the number of the row in it."""
    of_the_file = {"uri": info.uri, "etag": info.etag, "last_modified": info.last_modified}
    columns: dict[str, Any] = {
        name: pa.repeat(pa.scalar(value, LISTED.field(name).type), len(rows))
        for name, value in of_the_file.items()
    }
    return columns | {"member": pc.cast(pa.array(rows), pa.string())}


def _checked_names(given: str, file: str, column: Any, rows: Any) -> Any:
    names = absolute_names(given, folder_of(file), column)
    # No image is read, so any name will do; but it ends up in records.
    odd = pc.match_substring_regex(names, "[@?&;#]")
    for row in np.flatnonzero(np.asarray(odd)):
        if secret := find_secret(names[int(row)].as_py()):
            raise SettingsError(
                f"{given}: the name in row {rows[row]} has {secret} in it, which would end up"
                " in records; write names without it"
            )
    return names


def _checked_hashes(given: str, column: Any) -> Any:
    column = pc.utf8_lower(column)
    if pc.any(pc.invert(pc.match_substring_regex(column, "^[0-9a-f]{64}$"))).as_py():
        raise SettingsError(
            f"{given}: column 'content_hash' has other values than SHA-256 in hex digits"
        )
    return column
