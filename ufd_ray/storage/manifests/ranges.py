"""A manifest → ranges of it, each to be read by one task."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.errors import StorageError
from ufd_ray.schema import EMBEDDING_AT
from ufd_ray.storage.folders import list_folder
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import parse_uri

_ROWS = 65_536
_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class ManifestRange:
    """Some rows of one of a manifest's files.

    Attributes:
        uri: the file.
        first: its first row.
        num_rows: how many they are.
        position: of the first row, in the whole manifest.
    """

    uri: str
    first: int
    num_rows: int
    position: int


def manifest_ranges(folder: str, options: StorageOptions) -> list[ManifestRange]:
    """Cut a manifest into its files' row groups.

    Args:
        folder: URI of `manifest/`.
        options: how storage is reached.

    Raises:
        StorageError: it cannot be read.
    """
    ranges: list[ManifestRange] = []
    position = 0
    uris = _files(folder, options)
    sizes_of = partial(_group_sizes, options=options)
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        for uri, sizes in zip(uris, pool.map(sizes_of, uris), strict=True):
            first = 0
            for size in sizes:
                ranges.append(ManifestRange(uri, first, size, position + first))
                first += size
            position += first
    return ranges


def embedding_ranges(folder: str, num_rows: int, options: StorageOptions) -> list[ManifestRange]:
    """Cut a manifest of stored embeddings between two row groups of these.

    So each row group is read by one task, but for one that lies across two of the manifest's files.

    Args:
        folder: URI of `manifest/`.
        num_rows: most rows in a range, unless a single row group has more.
        options: how storage is reached.

    Raises:
        StorageError: it cannot be read.
    """
    ranges: list[ManifestRange] = []
    position = 0
    for uri in _files(folder, options):
        first = last = 0
        for end in _ends_of_groups(uri, options):
            if end - first > num_rows and last > first:
                ranges.append(ManifestRange(uri, first, last - first, position + first))
                first = last
            last = end
        if last > first:
            ranges.append(ManifestRange(uri, first, last - first, position + first))
        position += last
    return ranges


def read_range(rows: ManifestRange, options: StorageOptions) -> Any:
    """The rows, as `pa.Table`; of the file, no row group is read that holds none of them.

    Raises:
        StorageError: they cannot be read.
    """
    with _opened(rows.uri, options) as file:
        found, begun = [], 0
        for number in range(file.num_row_groups):
            size = file.metadata.row_group(number).num_rows
            start, end = max(rows.first - begun, 0), min(rows.first + rows.num_rows - begun, size)
            if start < end:
                found.append(file.read_row_group(number).slice(start, end - start))
            begun += size
        return pa.concat_tables(found)


def _files(folder: str, options: StorageOptions) -> list[str]:
    return [uri for uri in list_folder(folder, options) if uri.endswith(".parquet")]


def _group_sizes(uri: str, options: StorageOptions) -> list[int]:
    with _opened(uri, options) as file:
        groups = range(file.num_row_groups)
        return [file.metadata.row_group(number).num_rows for number in groups]


def _ends_of_groups(uri: str, options: StorageOptions) -> Iterator[int]:
    """Numbers of the rows that another row group's embedding begins with, then of all rows."""
    before, num_rows = None, 0
    with _opened(uri, options) as file:
        for batch in file.iter_batches(_ROWS, columns=[EMBEDDING_AT.name]):
            known = np.flatnonzero(np.asarray(batch.column(0).is_valid()))
            places = batch.column(0).take(pa.array(known))
            if len(known):
                files = places.field("file")
                groups = places.field("group").to_numpy()
                codes = files.dictionary_encode().indices.to_numpy()
                if before not in (None, (files[0].as_py(), groups[0])):
                    yield num_rows + int(known[0])
                changes = np.flatnonzero((np.diff(codes) != 0) | (np.diff(groups) != 0)) + 1
                yield from (num_rows + known[changes]).tolist()
                before = (files[-1].as_py(), groups[-1])
            num_rows += len(batch)
    yield num_rows


@contextmanager
def _opened(uri: str, options: StorageOptions) -> Iterator[Any]:
    location = parse_uri(uri)
    try:
        with open_filesystem(location, options).open_input_file(location.path) as source:
            yield pq.ParquetFile(source)
    except (pa.ArrowException, OSError, LookupError) as error:
        raise StorageError(f"{uri} cannot be read ({explain(error)})") from error
