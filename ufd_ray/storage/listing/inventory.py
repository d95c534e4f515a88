"""An S3 Inventory → the objects that it lists, as AWS documents its two readable formats."""

from __future__ import annotations

import gzip
import hashlib
import json
import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_plus

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError
from ufd_ray.storage.listing.columns import moments
from ufd_ray.storage.ranged import open_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import object_uri, parse_uri

_ROWS = 10_000
_CHUNK = 8 * 2**20
_PARQUET_NAMES = {
    "bucket": "Bucket",
    "key": "Key",
    "size": "Size",
    "last_modified_date": "LastModifiedDate",
    "e_tag": "ETag",
    "is_latest": "IsLatest",
    "is_delete_marker": "IsDeleteMarker",
}


def is_inventory(uri: str) -> bool:
    """Whether an input of this name is an S3 Inventory's own list of its files."""
    return posixpath.basename(uri) == "manifest.json"


def read_inventory(uri: str, options: StorageOptions) -> Iterator[dict[str, Any]]:
    """Read the objects of an inventory: latest versions, without delete markers and folder markers.

    Args:
        uri: its `manifest.json`. The data files are read from the bucket in which it lies; for a
            local one, from the folder above it that holds a copy of that bucket.
        options: how storage is reached.

    Yields:
        Columns of one length: `uri`, and as far as the inventory has them `etag`, `size_bytes`,
        `last_modified`; and `key`.

    Raises:
        FileNotFoundError: there is no `manifest.json`.
        SettingsError: a data file is missing, damaged or in a format that is not read.
        ValueError, pyarrow.ArrowException: what is there is no inventory.
    """
    file, _ = open_object(uri, options)
    with file:
        listed = json.load(file)
    if not isinstance(listed, dict) or not {"fileFormat", "fileSchema", "files"} <= listed.keys():
        raise ValueError("expected `fileFormat`, `fileSchema` and `files`")
    if not (isinstance(listed["fileSchema"], str) and _are_files(listed["files"])):
        raise ValueError("expected `fileSchema` as text, and `files` with `key` and `MD5checksum`")
    kind = listed["fileFormat"]
    if kind not in ("CSV", "Parquet"):
        raise SettingsError(
            f"--input {uri}: an inventory in {kind} is not read; have S3 write CSV or Parquet"
        )
    for entry in listed["files"]:
        with _checked_copy(uri, entry, options) as data:
            if kind == "CSV":
                batches = _read_csv(data, listed["fileSchema"])
            else:
                batches = _read_parquet(data)
            for batch in batches:
                yield _objects(batch)


def _are_files(entries: Any) -> bool:
    names = ("key", "MD5checksum")
    return isinstance(entries, list) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in names)
        for entry in entries
    )


@contextmanager
def _checked_copy(uri: str, entry: dict[str, str], options: StorageOptions) -> Iterator[BinaryIO]:
    """A temporary copy of a data file: nothing of it may be believed before its sum is known."""
    place = _place(uri, entry["key"])
    digest = hashlib.md5(usedforsecurity=False)
    with tempfile.TemporaryFile(prefix="ufd-ray-") as copy:
        try:
            file, _ = open_object(place, options, buffer_size=_CHUNK)
        except FileNotFoundError as error:
            raise SettingsError(f"--input {uri}: its data file {place} is not there") from error
        with file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
        if digest.hexdigest() != entry["MD5checksum"]:
            raise SettingsError(
                f"--input {uri}: its data file {place} is damaged (its MD5 is not manifest.json's)"
            )
        copy.seek(0)
        yield copy


def _place(uri: str, key: str) -> str:
    location = parse_uri(uri)
    if location.scheme != "file":
        return object_uri(location.scheme, location.bucket, key)
    above = Path(location.key).parents
    return str(next((p / key for p in above if (p / key).is_file()), above[0] / key))


def _read_csv(data: BinaryIO, schema: str) -> Iterator[Any]:
    names = [name.strip() for name in schema.split(",")]
    with gzip.open(data) as lines:
        reader = pyarrow.csv.open_csv(
            lines,
            read_options=pyarrow.csv.ReadOptions(column_names=names),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        for batch in reader:
            table = pa.Table.from_batches([batch])
            # The keys are URL-encoded, with + for blanks.
            keys = [unquote_plus(key, errors="strict") for key in table["Key"].to_pylist()]
            place = table.column_names.index("Key")
            yield table.set_column(place, "Key", pa.array(keys, pa.string()))


def _read_parquet(data: BinaryIO) -> Iterator[Any]:
    file = pq.ParquetFile(data)
    names = [name for name in file.schema_arrow.names if name in _PARQUET_NAMES]
    for batch in file.iter_batches(_ROWS, columns=names):
        table = pa.Table.from_batches([batch])
        yield table.rename_columns([_PARQUET_NAMES[name] for name in table.column_names])


def _objects(table: Any) -> dict[str, Any]:
    for needed in ("Bucket", "Key"):
        if needed not in table.column_names:
            raise ValueError(f"expected a column {needed}; found {table.column_names}")
    for flag, kept in (("IsLatest", True), ("IsDeleteMarker", False)):
        if flag in table.column_names:
            values = pc.cast(table[flag], pa.bool_()).fill_null(kept)
            table = table.filter(pc.equal(values, kept))
    known: dict[str, Any] = {}
    if "Size" in table.column_names:
        sizes = pc.cast(table["Size"], pa.int64())
        is_empty = pc.equal(sizes, 0).fill_null(False)
        is_object = pc.invert(pc.and_(pc.ends_with(table["Key"], "/"), is_empty))
        table, known["size_bytes"] = table.filter(is_object), sizes.filter(is_object)
    if "ETag" in table.column_names:
        known["etag"] = pc.utf8_trim(pc.cast(table["ETag"], pa.string()), '"')
    if "LastModifiedDate" in table.column_names:
        known["last_modified"] = moments(table["LastModifiedDate"])
    buckets, keys = table["Bucket"].to_pylist(), table["Key"].to_pylist()
    uris = [object_uri("s3", bucket, key) for bucket, key in zip(buckets, keys, strict=True)]
    return known | {"uri": pa.array(uris, pa.string()), "key": keys}
