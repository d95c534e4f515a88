"""`--input` values → tables of images: a prefix is listed, a manifest is read."""

from __future__ import annotations

import fnmatch
import io
import json
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, IMAGE, LABELS, REAL, SCORES, TIMESTAMP
from ufd_ray.storage.listing import ObjectInfo, list_prefix
from ufd_ray.storage.objects import object_exists, read_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import local_uri, parse_uri

_MANIFESTS = (".parquet", ".csv", ".jsonl", ".txt")
_CONTAINERS = (".tar", ".tar.gz", ".tgz", ".zip")
_LISTED: Any = pa.schema(
    [f for f in IMAGE if f.name in ("uri", "etag", "size_bytes", "last_modified")]
)
_OWN_NAMES = {f.name for f in SCORES} | {"position", "data", "pixels", "embedding"}
_FROM_MANIFEST = {"uri", "etag", "size_bytes", "last_modified"}


@dataclass
class Inputs:
    """What to read, and what was left out on the way (filled while it is read).

    Attributes:
        uris: prefixes and manifests.
        include: globs on the names below a prefix; empty: all.
        exclude: globs on the names below a prefix.
        by_folder: take labels from the folders `0_real` and `1_fake` of a prefix.
        num_left_out: objects that the globs left out.
        ignored_columns: manifest columns that bear the name of a column of the scores.
    """

    uris: Sequence[str]
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    by_folder: bool = False
    num_left_out: int = 0
    ignored_columns: set[str] = field(default_factory=set)

    def tables(self, options: StorageOptions) -> Iterator[Any]:
        """Read the inputs, in order.

        Yields:
            `pa.Table`s with `uri`, `etag`, `size_bytes`, `last_modified`, then further columns.

        Raises:
            SettingsError: an input that is not there or cannot be used.
            StorageError: the storage refuses.
        """
        for uri in self.uris:
            if uri.lower().endswith(_CONTAINERS):
                raise SettingsError(
                    f"--input {uri}: images inside an archive are not read; unpack it, or give a"
                    " prefix or a manifest"
                )
            if uri.lower().endswith(_MANIFESTS) and object_exists(uri, options):
                yield self._read_manifest(uri, options)
            else:
                yield from self._list(uri, options)

    def _list(self, uri: str, options: StorageOptions) -> Iterator[Any]:
        try:
            for page in list_prefix(uri, options):
                kept = [entry for entry in page if self._wanted(entry.uri, uri)]
                self.num_left_out += len(page) - len(kept)
                yield self._as_table(kept)
        except FileNotFoundError as error:
            raise SettingsError(
                f"--input {uri}: nothing there; expected a prefix or folder with objects below it,"
                " or a manifest"
            ) from error

    def _wanted(self, name: str, prefix: str) -> bool:
        if not self.include and not self.exclude:
            return True
        path, folder = parse_uri(name).key, parse_uri(prefix).key.rstrip("/") + "/"
        name = path.removeprefix(folder) if path.startswith(folder) else posixpath.basename(path)
        if self.include and not any(fnmatch.fnmatchcase(name, glob) for glob in self.include):
            return False
        return not any(fnmatch.fnmatchcase(name, glob) for glob in self.exclude)

    def _as_table(self, page: list[ObjectInfo]) -> Any:
        table = pa.Table.from_pylist([vars(entry) for entry in page], schema=_LISTED)
        if not self.by_folder:
            return table
        labels = [folder_label(entry.uri) for entry in page]
        return table.append_column(LABELS[0], pa.array(labels, pa.int8()))

    def _read_manifest(self, uri: str, options: StorageOptions) -> Any:
        try:
            table = _parse_manifest(uri, read_object(uri, options))
            names = table.column_names  # an error where they are not UTF-8
        except (pa.ArrowException, OSError, OverflowError, RecursionError, ValueError) as error:
            why = " ".join(str(error).split())
            raise SettingsError(f"--input {uri}: cannot be read as a manifest ({why})") from error
        if len(set(names)) < len(names):
            raise SettingsError(f"--input {uri}: two columns of one name in {names}")
        if "uri" not in names:
            raise SettingsError(f"--input {uri}: a manifest needs a column `uri`; found {names}")
        if "member" in names and table["member"].null_count < len(table):
            raise SettingsError(f"--input {uri}: `member` (images in archives) is not read")
        columns: dict[str, Any] = {}
        for name in names:
            if name in _OWN_NAMES and name not in _FROM_MANIFEST:
                self.ignored_columns.add(name)
            else:
                columns[name] = _typed(uri, name, table[name])
        uris = columns["uri"].to_pylist()
        if not all(uris):
            raise SettingsError(f"--input {uri}: the column `uri` has empty cells")
        location = parse_uri(uri)
        local = location.scheme == "file"
        base = os.path.dirname(location.key) if local else uri.rpartition("/")[0]
        columns["uri"] = pa.chunked_array(
            [pa.array([_absolute(base, u) for u in uris], pa.string())]
        )
        for known in _LISTED:
            if known.name not in columns:
                columns[known.name] = pa.nulls(len(table), known.type)
        return pa.table(columns)


def folder_label(uri: str) -> int | None:
    """The label that a path through `0_real` or `1_fake` gives, at any depth; None without one."""
    folders = uri.split("/")
    if "0_real" in folders:
        return REAL
    return FAKE if "1_fake" in folders else None


def _parse_manifest(uri: str, data: bytes) -> Any:
    kind = posixpath.splitext(uri.lower())[1]
    if kind == ".parquet":
        return pq.read_table(io.BytesIO(data))
    if kind == ".csv":
        # `uri` is text whatever it looks like; the types of other columns are inferred.
        typed = pyarrow.csv.ConvertOptions(
            column_types={"uri": pa.string(), "source": pa.string(), "split": pa.string()},
            strings_can_be_null=True,
            null_values=[""],  # by default `NA` and `null`, good names both, would be empty cells
        )
        newlines = pyarrow.csv.ParseOptions(newlines_in_values=True)
        return pyarrow.csv.read_csv(io.BytesIO(data), convert_options=typed, parse_options=newlines)
    lines = [line for line in data.decode("utf-8-sig").split("\n") if line.strip()]
    if kind == ".txt":
        return pa.table({"uri": pa.array([line.rstrip("\r") for line in lines], pa.string())})
    if not lines:
        return pa.table({"uri": pa.array([], pa.string())})
    rows = [json.loads(line) for line in lines]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("every line has to be a JSON object")
    names = dict.fromkeys(name for row in rows for name in row)  # of all rows, not of the first
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})


_WORDS = {"0": REAL, "1": FAKE, "real": REAL, "fake": FAKE}


def _typed(uri: str, name: str, column: Any) -> Any:
    if name == "label":
        words = [
            None if v is None else str(v).lower().removesuffix(".0") for v in column.to_pylist()
        ]
        if unknown := {word for word in words if word is not None} - _WORDS.keys():
            raise SettingsError(
                f"--input {uri}: label {min(unknown)!r}; expected 0 or real, 1 or fake"
            )
        return pa.array([None if w is None else _WORDS[w] for w in words], pa.int8())
    if name == "etag":
        return pc.utf8_trim(pc.cast(column, pa.string()), '"')
    wanted = {f.name: f.type for f in (*LABELS, *_LISTED)}.get(name)
    if wanted is None:
        return pa.nulls(len(column), pa.string()) if pa.types.is_null(column.type) else column
    try:
        return pc.cast(column, wanted, safe=wanted != TIMESTAMP)
    except pa.ArrowException as error:
        raise SettingsError(
            f"--input {uri}: column {name!r} is {column.type}; expected {wanted}"
        ) from error


def _absolute(base: str, uri: str) -> str:
    # A relative name in a manifest is meant from where the manifest lies.
    if uri.startswith("/") or "://" in uri:
        return uri
    scheme, mark, folder = base.rpartition("://")
    path = posixpath.normpath(posixpath.join(folder, uri))
    return scheme + mark + path if mark else local_uri(os.fsencode(path))
