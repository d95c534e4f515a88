"""The rows of a manifest → the images that they name."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.errors import SettingsError
from ufd_ray.schema import OWN_NAMES
from ufd_ray.storage.containers.members import is_container
from ufd_ray.storage.listing.allowed import check_image_uris
from ufd_ray.storage.listing.columns import LISTED, listed_table, typed_column
from ufd_ray.storage.uris import local_uri, parse_uri


def named_images(
    uri: str, tables: Iterable[Any], *, ignored: set[str], allow_http: bool
) -> Iterator[Any]:
    """Take a manifest's tables over.

    Args:
        uri: the manifest: relative names are meant from where it lies.
        tables: its rows, in tables of one schema.
        ignored: gets the names of columns that cannot be carried through.
        allow_http: whether images may be named by http:// and https://.

    Yields:
        `pa.Table`s of `LISTED`, then the further columns.

    Raises:
        SettingsError: columns or values that no manifest can have.
    """
    given, base, first_row = f"--input {uri}", folder_of(uri), 1
    for table in tables:
        names = table.column_names  # an error where they are not UTF-8
        if len(set(names)) < len(names):
            raise SettingsError(f"{given}: two columns of one name in {names}")
        if "uri" not in names:
            raise SettingsError(f"{given}: a manifest needs a column `uri`; found {names}")
        known, further = {}, {}
        for name in names:
            if name in LISTED.names and (name != "offset" or "member" in names):
                known[name] = typed_column(given, name, table[name])
            elif name in OWN_NAMES:
                ignored.add(name)
            else:
                further[name] = typed_column(given, name, table[name])
        known["uri"] = absolute_names(given, base, known["uri"])
        check_image_uris(known["uri"], manifest=uri, allow_http=allow_http, first_row=first_row)
        if "member" in known:
            _check_members(given, known["uri"], known["member"])
        yield listed_table(known, further, len(table))
        first_row += len(table)


def absolute_names(given: str, base: str, column: Any) -> Any:
    """The names of a column, each as it would be written from anywhere.

    Args:
        given: how the user named the file, for the message: `--input …`.
        base: URI of the folder from which relative names are meant.
        column: `pa.ChunkedArray` of strings.

    Raises:
        SettingsError: some are null or empty.
    """
    if pc.any(pc.equal(pc.fill_null(column, ""), "")).as_py():
        raise SettingsError(f"{given}: the column `uri` has empty cells")
    if pc.all(pc.match_substring_regex(column, "^/|://")).as_py():
        return column
    return pa.chunked_array([[_absolute(base, name) for name in column.to_pylist()]], pa.string())


def _check_members(given: str, uris: Any, members: Any) -> None:
    for container in uris.filter(pc.is_valid(members)).unique().to_pylist():
        if not is_container(container):
            raise SettingsError(
                f"{given}: `member` names images in {container}; expected a .tar or a .parquet"
            )
    if pc.any(pc.equal(members, "")).as_py():
        raise SettingsError(f"{given}: an empty `member`; expected a name, or null")


def folder_of(uri: str) -> str:
    """The folder that an object lies in."""
    location = parse_uri(uri)
    return os.path.dirname(location.key) if location.scheme == "file" else uri.rpartition("/")[0]


def _absolute(base: str, uri: str) -> str:
    # A relative name in a manifest is meant from where the manifest lies.
    if uri.startswith("/") or "://" in uri:
        return uri
    scheme, mark, folder = base.rpartition("://")
    path = posixpath.normpath(posixpath.join(folder, uri))
    return scheme + mark + path if mark else local_uri(os.fsencode(path))
