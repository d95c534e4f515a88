"""`--input` values → tables of images: prefixes, manifests, tars, Parquet, S3 Inventories."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.schema import OWN_NAMES
from ufd_ray.storage.containers.parquet_images import find_image_column, other_columns
from ufd_ray.storage.containers.tars import Member, list_tar
from ufd_ray.storage.entries import ObjectInfo
from ufd_ray.storage.listing.ahead import in_order
from ufd_ray.storage.listing.braces import expand_ranges
from ufd_ray.storage.listing.columns import label_column, listed_table, typed_column
from ufd_ray.storage.listing.input_errors import told_in_one_line
from ufd_ray.storage.listing.inventory import is_inventory, read_inventory
from ufd_ray.storage.listing.manifest_files import (
    read_csv,
    read_json_lines,
    read_parquet,
    read_text,
)
from ufd_ray.storage.listing.named_images import named_images
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.ranged import open_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import parse_uri

_COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz", ".zip")
_TEXTS: dict[str, Callable[[Callable[[], BinaryIO]], Iterator[Any]]] = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".txt": read_text,
}
_TARS_AT_ONCE = 8


@dataclass
class Inputs:
    """What to read, and what was left out on the way (filled while it is read).

    Attributes:
        uris: prefixes, manifests, tars, Parquet files, S3 Inventories.
        include: globs on the names below a prefix, in a tar or in an inventory; empty: all.
        exclude: likewise, of what is left out.
        by_folder: take labels from the folders `0_real` and `1_fake` in those names.
        image_column: the column of image bytes in Parquet; None: the only one.
        allow_http: whether a manifest may name images by http:// and https://.
        num_left_out: objects and members that the globs left out.
        num_sidecars: members of tars whose names do not end as an image's.
        ignored_columns: columns that bear the name of a column of the scores.
    """

    uris: Sequence[str]
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    by_folder: bool = False
    image_column: str | None = None
    allow_http: bool = False
    num_left_out: int = 0
    num_sidecars: int = 0
    ignored_columns: set[str] = field(default_factory=set)

    def tables(self, options: StorageOptions) -> Iterator[Any]:
        """Read the inputs, in order, never a whole one at once.

        Yields:
            `pa.Table`s with the columns `LISTED`, then further ones.

        Raises:
            SettingsError: an input that is not there or cannot be used.
            StorageError: the storage refuses.
        """
        names = (name for uri in self.uris for name in _expanded(uri))
        for is_tar, group in groupby(names, key=lambda name: name.lower().endswith(".tar")):
            if is_tar:
                # One after the other would leave the network idle between a tar's pages.
                tars = (partial(_list_tar, uri, options) for uri in group)
                for info, members in in_order(tars, num_threads=_TARS_AT_ONCE):
                    yield self._members(info, members)
                continue
            for uri in group:
                with told_in_one_line(uri, _expected(uri)):
                    yield from self._read(uri, options)

    def _read(self, uri: str, options: StorageOptions) -> Iterator[Any]:
        if uri.lower().endswith(_COMPRESSED):
            raise SettingsError(
                f"--input {uri}: images inside a compressed archive are not read; give an"
                " uncompressed .tar, or unpack it"
            )
        if is_inventory(uri):
            yield from self._inventory(uri, options)
        elif (found := _open_file(uri, options)) is not None:
            with found[0] as file:
                yield from self._file(file, found[1], options)
        else:
            for page in list_prefix(uri, options):
                yield self._objects(page, uri)

    def _objects(self, page: list[ObjectInfo], prefix: str) -> Any:
        kept = [entry for entry in page if self._wanted(_name_below(entry.uri, prefix))]
        self.num_left_out += len(page) - len(kept)
        columns = {
            name: [getattr(entry, name) for entry in kept]
            for name in ("uri", "etag", "size_bytes", "last_modified")
        }
        return listed_table(columns, self._labels(columns["uri"]), len(kept))

    def _members(self, info: ObjectInfo, members: list[Member]) -> Any:
        images = [member for member in members if member.is_image]
        kept = [member for member in images if self._wanted(member.name)]
        self.num_sidecars += len(members) - len(images)
        self.num_left_out += len(images) - len(kept)
        columns = {
            "uri": [info.uri] * len(kept),
            "member": [member.name for member in kept],
            "etag": [info.etag] * len(kept),
            "size_bytes": [member.size_bytes for member in kept],
            "last_modified": [info.last_modified] * len(kept),
            "offset": [member.offset for member in kept],
        }
        labels = self._labels([f"{info.uri}/{member.name}" for member in kept])
        return listed_table(columns, labels, len(kept))

    def _inventory(self, uri: str, options: StorageOptions) -> Iterator[Any]:
        for known in read_inventory(uri, options):
            wanted = pa.array([self._wanted(key) for key in known.pop("key")], pa.bool_())
            columns = {name: column.filter(wanted) for name, column in known.items()}
            num_kept = len(columns["uri"])
            self.num_left_out += len(wanted) - num_kept
            yield listed_table(columns, self._labels(columns["uri"].to_pylist()), num_kept)

    def _file(self, file: BinaryIO, info: ObjectInfo, options: StorageOptions) -> Iterator[Any]:
        if read := _TEXTS.get(_ending(info.uri)):
            yield from self._named(info.uri, read(partial(_open_again, info, options)))
            return
        parquet = pq.ParquetFile(file)
        if find_image_column(f"--input {info.uri}", parquet.schema_arrow, self.image_column):
            yield from self._rows(info, parquet)
        else:
            yield from self._named(info.uri, read_parquet(parquet))

    def _named(self, uri: str, rows: Iterator[Any]) -> Iterator[Any]:
        return named_images(uri, rows, ignored=self.ignored_columns, allow_http=self.allow_http)

    def _rows(self, info: ObjectInfo, parquet: Any) -> Iterator[Any]:
        for rows, columns in other_columns(parquet):
            known: dict[str, Any] = {
                "uri": [info.uri] * len(rows),
                "member": [str(row) for row in rows],
                "etag": [info.etag] * len(rows),
                "last_modified": [info.last_modified] * len(rows),
            }
            self.ignored_columns |= columns.keys() & OWN_NAMES
            further = {
                name: typed_column(f"--input {info.uri}", name, column)
                for name, column in columns.items()
                if name not in OWN_NAMES
            }
            labels = {} if "label" in further else self._labels(known["uri"])
            yield listed_table(known, further | labels, len(rows))

    def _wanted(self, name: str) -> bool:
        if self.include and not any(fnmatch.fnmatchcase(name, glob) for glob in self.include):
            return False
        return not any(fnmatch.fnmatchcase(name, glob) for glob in self.exclude)

    def _labels(self, names: Sequence[str]) -> dict[str, Any]:
        return label_column(names) if self.by_folder else {}


def _expanded(uri: str) -> Iterator[str]:
    return expand_ranges(uri) if uri.lower().endswith(".tar") else iter([uri])


def _expected(uri: str) -> str:
    if is_inventory(uri):
        return "an S3 Inventory"
    return "a manifest" if _ending(uri) in _TEXTS else "Parquet"


def _ending(uri: str) -> str:
    return posixpath.splitext(uri.lower())[1]


def _name_below(uri: str, prefix: str) -> str:
    path, folder = parse_uri(uri).key, parse_uri(prefix).key.rstrip("/") + "/"
    return path.removeprefix(folder) if path.startswith(folder) else posixpath.basename(path)


def _list_tar(uri: str, options: StorageOptions) -> Iterator[tuple[ObjectInfo, list[Member]]]:
    with told_in_one_line(uri, "an uncompressed .tar"):
        yield from list_tar(uri, options)


def _open_file(uri: str, options: StorageOptions) -> tuple[BinaryIO, ObjectInfo] | None:
    if _ending(uri) not in (".parquet", *_TEXTS):
        return None
    try:
        return open_object(uri, options, buffer_size=2**20)
    except FileNotFoundError:
        return None  # perhaps a prefix of that name


def _open_again(info: ObjectInfo, options: StorageOptions) -> BinaryIO:
    file, now = open_object(info.uri, options)
    if now != info:
        file.close()
        raise StorageError(f"--input {info.uri}: it changed while it was read")
    return file
