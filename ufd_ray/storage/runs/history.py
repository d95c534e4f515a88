"""`ROOT/runs/` → the runs that have been published there, and their rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import obstore
import pyarrow as pa
import pyarrow.dataset
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError

from ufd_ray.errors import ErrorCode, SettingsError, StorageError
from ufd_ray.schema import SCORES
from ufd_ray.settings import RUN_NAME
from ufd_ray.storage.documents import find_document
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.objects import object_exists
from ufd_ray.storage.runs.folder import PART_FILE, PRUNED
from ufd_ray.storage.stores import StorageOptions, open_filesystem, open_store, s3_client
from ufd_ray.storage.uris import join_uri, parse_uri

_GONE = re.compile(r"no such (file|key)|not ?found|nosuchkey", re.IGNORECASE)
_SCORES_FILE = re.compile(rf"scores/{PART_FILE}")
PERMANENT = [code.value for code in ErrorCode if not code.transient]
"""Errors that would come again. A row is final where it has a score or one of these."""


@dataclass(frozen=True)
class PublishedRun:
    """A run that is complete: its `_SUCCESS` is there.

    Attributes:
        run_id: its name.
        uri: its folder.
        started_at: ISO 8601, UTC.
        detector_id: what scored it; empty where its release recorded none.
        document: its `run.json`.
    """

    run_id: str
    uri: str
    started_at: str
    detector_id: str
    document: dict[str, Any]

    @property
    def score_files(self) -> list[str]:
        """URIs of its rows, in order.

        Raises:
            SettingsError: `run.json` does not name them.
        """
        try:
            names = [str(file["name"]) for file in self.document["files"]]
        except (KeyError, TypeError) as error:
            raise SettingsError(f"{self.uri}: run.json does not say which files it has") from error
        scores = [name for name in names if _SCORES_FILE.fullmatch(name)]
        if not scores:
            raise SettingsError(f"{self.uri}: run.json names no file scores/part-*.parquet")
        return [join_uri(self.uri, *name.split("/")) for name in scores]


def published_runs(root: str, options: StorageOptions) -> list[PublishedRun]:
    """The published runs below `root`, oldest first: by `started_at`, then by id.

    Folders whose names are no run ids are somebody else's.

    Raises:
        SettingsError: the `run.json` of one cannot be read.
        StorageError: the storage does not say.
    """
    folder = join_uri(root, "runs")
    with ThreadPoolExecutor(16, thread_name_prefix="runs") as threads:
        names = run_names(root, options)
        places = [join_uri(folder, name) for name in names]
        found = threads.map(partial(published_run, options=options), places)
        runs = [run for run in found if run is not None]
    return sorted(runs, key=lambda run: (run.started_at, run.run_id))


def run_names(root: str, options: StorageOptions) -> list[str]:
    """The folders below `ROOT/runs/` that bear a run's name, published or not, sorted.

    Raises:
        StorageError: the storage does not say.
    """
    found = _folders(join_uri(root, "runs"), options)
    return sorted(name for name in found if re.fullmatch(RUN_NAME, name))


class ScoreFiles:
    """The rows of runs, file by file, without any of them in memory.

    Args:
        root: where the runs lie.
        runs: some of `published_runs`.
        options: how storage is reached.

    Attributes:
        run_of_file: for each file, the number of its run in `runs`.

    Raises:
        SettingsError: a run does not say which files it has.
    """

    def __init__(self, root: str, runs: Sequence[PublishedRun], options: StorageOptions) -> None:
        self._root = root
        self._filesystem = open_filesystem(parse_uri(root), options)
        self._parquet = pa.dataset.ParquetFileFormat()
        files = [(uri, number) for number, run in enumerate(runs) for uri in run.score_files]
        self._files = [
            self._parquet.make_fragment(parse_uri(uri).path, self._filesystem) for uri, _ in files
        ]
        self.run_of_file = [number for _, number in files]

    def table_of_runs(self) -> Any:
        """`run_of_file` for SQL: `pa.Table` of `file`, as `scan` numbers them, and `run`, int32."""
        files = pa.array(range(len(self.run_of_file)), pa.int32())
        return pa.table({"file": files, "run": pa.array(self.run_of_file, pa.int32())})

    def schemas(self) -> list[Any]:
        """One `pa.Schema` a run; all files of a run have the same.

        Raises:
            StorageError: one cannot be read.
        """
        firsts = dict(zip(reversed(self.run_of_file), reversed(self._files), strict=True)).values()
        with self.clear_errors(), ThreadPoolExecutor(16, thread_name_prefix="schemas") as threads:
            return list(threads.map(lambda file: file.physical_schema, reversed(firsts)))

    def scan(self, columns: Sequence[str], further: Sequence[Any] = ()) -> Any:
        """Rows of all files in order, some columns of `SCORES`, and the number of the row's file.

        Args:
            columns: names of columns.
            further: fields of columns that all files have beside `SCORES`.

        Returns:
            `pa.RecordBatchReader` of these columns, then `__fragment_index` (Arrow's own name for
            the number of a file). What it raises is for `clear_errors`.
        """
        known = (*SCORES, *further)
        schema = pa.schema([column for column in known if column.name in columns])
        dataset = pa.dataset.FileSystemDataset(self._files, schema, self._parquet, self._filesystem)
        scanner = dataset.scanner(
            columns=[*columns, "__fragment_index"], batch_readahead=4, fragment_readahead=4
        )
        # Not `to_reader`: it holds Python's lock while Arrow starts. Where a file turns out to be
        # gone at that moment, Arrow waits for that lock to say so, for ever.
        return pa.RecordBatchReader.from_batches(scanner.projected_schema, scanner.to_batches())

    def read(self, number: int, rows_per_batch: int) -> Iterator[Any]:
        """Rows of one file, in order, all columns.

        Yields:
            `pa.RecordBatch`es.

        Raises:
            StorageError: it cannot be read.
        """
        with self.clear_errors():
            yield from self._files[number].scanner(batch_size=rows_per_batch).to_batches()

    @contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Raise what goes wrong while rows are read as a `StorageError`."""
        try:
            yield
        except (pa.ArrowException, duckdb.Error, OSError) as error:
            gone = isinstance(error, FileNotFoundError) or _GONE.search(str(error))
            text = " ".join(str(error).split()).partition(" Detail: Python exception")[0]
            raise StorageError(
                f"{self._root}/runs: published scores cannot be read: {text[:300]}"
                + ("; if runs were pruned meanwhile, start again" if gone else "")
            ) from error


def published_run(uri: str, options: StorageOptions) -> PublishedRun | None:
    """The published run whose folder this is; None: it is none's, or that run is being deleted.

    Raises:
        SettingsError: its `run.json` cannot be read.
        StorageError: the storage does not say.
    """
    if not object_exists(join_uri(uri, "_SUCCESS"), options):
        return None
    document = find_document(uri, "run.json", f"published run {uri}", options)
    if document is None:
        if not object_exists(join_uri(uri, "_SUCCESS"), options):
            return None  # deleted between one look and the next
        raise SettingsError(f"published run {uri}: there is no run.json")
    if document.get("outcome") == PRUNED:
        return None
    started_at, detector_id = document.get("started_at"), document.get("detector_id", "")
    if not (isinstance(started_at, str) and isinstance(detector_id, str)):
        raise SettingsError(
            f"published run {uri}: run.json is damaged (started_at {started_at!r}, detector_id"
            f" {detector_id!r}; expected text)"
        )
    name = uri.rstrip("/").rpartition("/")[2]
    return PublishedRun(name, uri, started_at, detector_id, document)


def _folders(uri: str, options: StorageOptions) -> list[str]:
    location = parse_uri(uri)
    prefix = location.key.rstrip("/") + "/"
    try:
        if location.scheme == "file":
            with os.scandir(location.key) as entries:
                return [entry.name for entry in entries if entry.is_dir()]
        if location.scheme == "s3":
            pages = s3_client(options).get_paginator("list_objects_v2")
            found = pages.paginate(Bucket=location.bucket, Prefix=prefix, Delimiter="/")
            paths = [str(p["Prefix"]) for page in found for p in page.get("CommonPrefixes", [])]
        else:
            store = open_store(location.scheme, location.bucket, options)
            paths = list(obstore.list_with_delimiter(store, prefix)["common_prefixes"])
    except FileNotFoundError:
        return []
    except (BotoCoreError, ClientError, BaseError, OSError) as error:
        raise StorageError(f"{uri} cannot be listed: {explain(error)}") from error
    return [path.removeprefix(prefix).rstrip("/") for path in paths]
