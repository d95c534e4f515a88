"""`parts/` → published Parquet files: all rows accounted for, in order, checksummed, read back."""

from __future__ import annotations

import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from ufd_ray.errors import AccountsError, StorageError
from ufd_ray.schema import OWN_NAMES
from ufd_ray.storage.folders import list_folder
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.objects import read_object, write_object
from ufd_ray.storage.runs.small_tables import read_small_schema, read_small_tables
from ufd_ray.storage.scratch import open_scratch
from ufd_ray.storage.stores import StorageOptions, open_filesystem
from ufd_ray.storage.uris import join_uri, parse_uri

_NUM_NAMED = 5
_AT_ONCE = 256
"""Parts whose contents are in memory at a time, to look for duplicates."""
_CONTENT = ["content_hash", "position", "image_id"]


@dataclass(frozen=True)
class PublishedFile:
    """One published file, as `run.json` and `bank.json` name it.

    Attributes:
        name: path below the folder that holds the JSON.
        num_rows: rows in it.
        sha256: hex digest of its bytes.
        num_bytes: its size.
    """

    name: str
    num_rows: int
    sha256: str
    num_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class Parts:
    """The rows that the pipeline appended, in whatever order, held against their manifest.

    Opening reads the positions of all rows (8 bytes each in memory); nothing else is ever read
    whole.

    Args:
        folder: URI of `parts/`.
        manifest: URI of `manifest/`.
        options: how storage is reached.

    Raises:
        StorageError: a file of them cannot be read.
    """

    def __init__(self, folder: str, manifest: str, options: StorageOptions) -> None:
        self._folder, self._options = folder, options
        self._files = [uri for uri in list_folder(folder, options) if uri.endswith(".parquet")]
        with _told_in_one_line(folder):
            self._schema = self._schema_of_first()
        with _told_in_one_line(manifest):
            self._manifest = _open_manifest(manifest, options)
        found = self._read(self._files, columns=["position"])
        self._positions = [np.asarray(rows["position"].to_numpy(), np.int64) for rows in found]

    @property
    def further(self) -> list[Any]:
        """Fields of the columns that are carried through from the manifest."""
        return [field for field in self._manifest.schema if field.name not in OWN_NAMES]

    def check_accounts(self, num_images: int) -> None:
        """Hold the rows against the manifest: positions 0 … `num_images` - 1, each exactly once.

        Raises:
            AccountsError: it names up to five images that are lost, double or foreign.
        """
        positions = np.concatenate([np.empty(0, np.int64), *self._positions])
        known = (positions >= 0) & (positions < num_images)
        counts = np.bincount(positions[known], minlength=num_images)
        faults = {
            "lost": np.flatnonzero(counts == 0),
            "double": np.flatnonzero(counts > 1),
            "foreign": np.unique(positions[~known]),
        }
        said = [self._count_and_name(word, rows) for word, rows in faults.items() if len(rows)]
        if said:
            raise AccountsError(
                f"{num_images} images went in, {len(positions)} rows came out: {'; '.join(said)}."
                " Nothing was published."
            )

    def first_with_same_content(self) -> Any:
        """For each content hash that occurs more than once: the id of its first row.

        Returns:
            `pa.Table` with `content_hash` and `first_id`.

        Raises:
            StorageError: a part cannot be read any more.
        """
        failed: list[StorageError] = []
        with open_scratch() as scratch:
            schema = pa.schema([self._schema.field(name) for name in _CONTENT])
            rows = pa.RecordBatchReader.from_batches(schema, self._contents(schema, failed))
            scratch.database.register("parts", rows)
            try:
                return scratch.database.sql(
                    "SELECT content_hash, arg_min(image_id, position) AS first_id FROM parts"
                    " WHERE content_hash IS NOT NULL GROUP BY content_hash HAVING count(*) > 1"
                ).to_arrow_table()
            except duckdb.Error:
                if failed:  # DuckDB makes a text of what its rows raise
                    raise failed[0] from None
                raise

    def _contents(self, schema: Any, failed: list[StorageError]) -> Iterator[Any]:
        for start in range(0, len(self._files), _AT_ONCE):
            few = self._files[start : start + _AT_ONCE]
            try:
                found = self._read(few, columns=_CONTENT, schema=self._schema)
            except StorageError as error:
                failed.append(error)
                raise
            for rows in found:
                yield from rows.cast(schema).to_batches()

    def ranges(self, num_images: int, rows_per_file: int) -> Iterator[Any]:
        """The rows in the manifest's order, a published file's worth at a time.

        Yields:
            `pa.Table`s sorted by position; one, without rows, when there are none at all.

        Raises:
            AccountsError: a row bears the id of another image than the manifest has there.
            StorageError: a part cannot be read any more.
        """
        of_file: defaultdict[int, list[str]] = defaultdict(list)
        for file, positions in zip(self._files, self._positions, strict=True):
            for number in np.unique(positions // rows_per_file).tolist():
                of_file[number].append(file)
        schema = self._schema
        for number in range(max(1, math.ceil(num_images / rows_per_file))):
            start = number * rows_per_file
            place = pc.field("position")
            wanted = (place >= start) & (place < start + rows_per_file)
            found = self._read(of_file[number], schema=schema, filters=wanted)
            rows = pa.concat_tables([schema.empty_table(), *found]).sort_by("position")
            self._check_ids(rows, wanted)
            yield rows

    def _schema_of_first(self) -> Any:
        if not self._files:
            return pa.schema([("position", pa.int64()), ("image_id", pa.string())])
        return read_small_schema(self._files[0], self._options)

    def _read(self, files: Sequence[str], **what: Any) -> list[Any]:
        with _told_in_one_line(self._folder):
            return list(read_small_tables(files, self._options, **what))

    def _check_ids(self, rows: Any, wanted: Any) -> None:
        listed = self._manifest.to_table(columns=["position", "image_id"], filter=wanted)
        listed = listed.sort_by("position")
        if not rows["image_id"].equals(listed["image_id"]):
            pairs = zip_longest(
                *(table["image_id"].to_pylist() for table in (rows, listed)), fillvalue="(none)"
            )
            row, image = next(pair for pair in pairs if pair[0] != pair[1])
            raise AccountsError(f"image {row} has the row of image {image}. Nothing was published.")

    def _count_and_name(self, word: str, positions: npt.NDArray[np.int64]) -> str:
        first = positions[:_NUM_NAMED].tolist()
        listed = self._manifest.to_table(
            columns=["position", "image_id"], filter=pc.field("position").isin(first)
        )
        ids = dict(zip(*listed.to_pydict().values(), strict=True))
        named = [ids.get(position, f"position {position}") for position in first]
        more = ", …" if len(positions) > _NUM_NAMED else ""
        return f"{len(positions)} {word} ({', '.join(named)}{more})"


@contextmanager
def _told_in_one_line(folder: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise StorageError(
            f"{folder} cannot be read ({explain(error)}); nothing was published. To begin anew,"
            " delete the run's folder"
        ) from error


def _open_manifest(folder: str, options: StorageOptions) -> Any:
    uris = [uri for uri in list_folder(folder, options) if uri.endswith(".parquet")]
    location = parse_uri(folder)
    return pa.dataset.dataset(
        [parse_uri(uri).path for uri in uris],
        # A data set of no files knows no columns.
        schema=None if uris else pa.schema([("position", pa.int64()), ("image_id", pa.string())]),
        format="parquet",
        filesystem=open_filesystem(location, options),
    )


def write_table(
    root: str,
    name: str,
    table: Any,
    options: StorageOptions,
    metadata: dict[str, str] | None = None,
    rows_per_group: int | None = None,
) -> PublishedFile:
    """Write a table as one Parquet file.

    Args:
        root: URI of the run or bank.
        name: path below it.
        table: `pa.Table`.
        options: how storage is reached.
        metadata: run constants for the file's own metadata.
        rows_per_group: rows in a row group; None: as Parquet's writer likes.

    Raises:
        StorageError: it cannot be written.
    """
    sink = io.BytesIO()
    encoded = {k: v.encode("utf-8", "backslashreplace") for k, v in (metadata or {}).items()}
    table = table.replace_schema_metadata(encoded)
    pq.write_table(table, sink, compression="zstd", row_group_size=rows_per_group)
    data = sink.getvalue()
    write_object(join_uri(root, *name.split("/")), data, options)
    return PublishedFile(name, len(table), hashlib.sha256(data).hexdigest(), len(data))


def check_files(
    root: str, files: Iterable[PublishedFile], num_rows: int, options: StorageOptions
) -> None:
    """Read published files back, and hold them against what was written.

    Args:
        root: URI of the run.
        files: what was written.
        num_rows: rows that those below `scores/` have to have together.
        options: how storage is reached.

    Raises:
        AccountsError: a file is gone or has not the bytes that were written, or rows are missing.
        StorageError: one cannot be read.
    """
    found = 0
    for file in files:
        if (read := _read_back(join_uri(root, *file.name.split("/")), options)) != file.sha256:
            raise AccountsError(
                f"{file.name} was written with {file.num_rows} rows and SHA-256 {file.sha256}; its"
                f" checksum is now {read}. Nothing was published."
            )
        found += file.num_rows if file.name.startswith("scores/") else 0
    if found != num_rows:
        raise AccountsError(f"{found} rows were written of {num_rows}. Nothing was published.")


def _read_back(uri: str, options: StorageOptions) -> str:
    try:
        data = read_object(uri, options)
    except FileNotFoundError:
        return "none: it is gone"
    return hashlib.sha256(data).hexdigest()
