"""Published runs against their own records: every file, every row, every count."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.outcome import Outcome
from ufd_ray.schema import SCORES
from ufd_ray.storage.documents import find_document
from ufd_ray.storage.objects import object_exists, read_object
from ufd_ray.storage.runs.contents import list_contents, printable
from ufd_ray.storage.runs.folder import PART_FILE, PRUNED
from ufd_ray.storage.runs.history import run_names
from ufd_ray.storage.runs.newest import RUN
from ufd_ray.storage.runs.row_accounts import TAKEN, RowAccounts, open_accounts
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

_NAMED = re.compile(rf"(scores|embeddings)/{PART_FILE}")
_BATCH_ROWS = 16_384


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        name: `run RUN_ID`, or `current`.
        num_files: files that are named, and were read.
        num_rows: rows of scores among them.
        faults: a line each; none: sound.
    """

    name: str
    num_files: int
    num_rows: int
    faults: tuple[str, ...]

    def lines(self) -> list[str]:
        """For a person: one line, and one for each fault."""
        if not self.faults:
            return [f"{self.name}: sound: {self.num_files:,} files, {self.num_rows:,} rows"]
        number = f"{len(self.faults):,} fault{'s' if len(self.faults) > 1 else ''}"
        return [f"{self.name}: {number}", *(f"  {fault}" for fault in self.faults)]


def verify_runs(root: str, run_ids: Sequence[str], options: StorageOptions) -> Iterator[Verified]:
    """Verify these runs; without any, all that have `_SUCCESS`.

    Yields:
        One after the other; a run that was deleted meanwhile is passed over where none was named.

    Raises:
        SettingsError: none is named, and there is none.
        StorageError: `ROOT/runs` cannot be listed.
    """
    names = list(dict.fromkeys(run_ids)) or [
        name
        for name in run_names(root, options)
        if object_exists(join_uri(root, "runs", name, "_SUCCESS"), options)
    ]
    if not names:
        raise SettingsError(f"--output {root}: no published run below {join_uri(root, 'runs')}/")
    for name in names:
        found = verify_run(root, name, options)
        success = join_uri(root, "runs", name, "_SUCCESS")
        if found.faults and not run_ids and not object_exists(success, options):
            continue
        yield found


def verify_run(root: str, run_id: str, options: StorageOptions) -> Verified:
    """Hold one run against its `run.json` and its manifest. Memory: one published file."""
    uri = join_uri(root, "runs", run_id)
    with open_accounts() as accounts:
        check = _Check(uri, "run.json", accounts, options)
        check.run()
        return check.found(f"run {run_id}")


def verify_current(root: str, options: StorageOptions) -> Verified:
    """Hold `ROOT/current` against its `current.json`."""
    with open_accounts() as accounts:
        check = _Check(join_uri(root, "current"), "current.json", accounts, options)
        check.current()
        return check.found("current")


class _Check:
    def __init__(
        self, uri: str, record: str, accounts: RowAccounts, options: StorageOptions
    ) -> None:
        self._uri = uri
        self._record = record
        self._accounts = accounts
        self._options = options
        self._faults: list[str] = []
        self._num_files = self._num_rows = 0
        self._all_read = True

    def found(self, name: str) -> Verified:
        faults = tuple(map(printable, self._faults))
        return Verified(printable(name), self._num_files, self._num_rows, faults)

    def run(self) -> None:
        document = self._read_record()
        if document is None:
            return
        if document.get("outcome") == PRUNED:
            return self._say("is being deleted: let jobs/prune.py come to its end")
        if not Outcome.is_published(document.get("outcome")):
            self._say(f"run.json says outcome {document.get('outcome')!r}, not a published one")
        self._read_files(document, SCORES)
        manifest = document.get("manifest")
        self._read_manifest(manifest.get("num_images") if isinstance(manifest, dict) else None)
        if self._all_read:  # else it is said already, and all counts are off
            self._faults.extend(self._accounts.faults())
            self._compare_counts(document, self._accounts.count())

    def current(self) -> None:
        document = self._read_record()
        if document is None:
            return
        self._read_files(document, (*SCORES, *RUN))
        if not self._all_read:
            return
        self._faults.extend(self._accounts.doubles())
        counts = self._accounts.count()
        self._compare_counts(
            document, {name: counts[name] for name in ("images", "by_status", "by_verdict")}
        )
        by_run = self._accounts.count_by_run()
        try:
            said = {str(run["run_id"]): run["num_rows"] for run in document["runs"]}
        except (LookupError, TypeError):
            return self._say("current.json does not say which runs it has rows of")
        for run_id in sorted(said.keys() | by_run.keys()):
            if said.get(run_id, 0) != by_run.get(run_id, 0):
                self._say(
                    f"{by_run.get(run_id, 0):,} rows of run {run_id}, where current.json says"
                    f" {said.get(run_id, 0):,}"
                )

    def _read_record(self) -> dict[str, Any] | None:
        try:
            if not object_exists(join_uri(self._uri, "_SUCCESS"), self._options):
                self._say("there is no _SUCCESS: it is not published")
            document = find_document(self._uri, self._record, self._uri, self._options)
        except (SettingsError, StorageError) as error:
            self._say(str(error))
            return None
        if document is None:
            self._say(f"there is no {self._record}")
        return document

    def _read_files(self, document: dict[str, Any], columns: Sequence[Any]) -> None:
        files, named = document.get("files"), set[str]()
        if not isinstance(files, list):
            self._all_read = False
            return self._say(f"{self._record} does not say which files it has")
        for file in files:
            name = file.get("name") if isinstance(file, dict) else None
            if not isinstance(name, str) or not _NAMED.fullmatch(name) or name in named:
                self._say(f"{self._record} names a file that cannot be: {name!r}")
                self._all_read = False
                continue
            named.add(name)
            self._read_file(name, file, columns)
        if not any(name.startswith("scores/") for name in named):
            self._say(f"{self._record} names no file of scores")
            self._all_read = False
        try:
            found = list_contents(self._uri, self._options)
        except StorageError as error:
            return self._say(str(error))
        for name in sorted({stored.name for stored in found if not stored.is_draft} - named):
            if name.startswith(("scores/", "embeddings/")):
                self._say(f"{name}: {self._record} does not name it{_why(name, document)}")

    def _read_file(self, name: str, file: dict[str, Any], columns: Sequence[Any]) -> None:
        is_scores = name.startswith("scores/")
        try:
            data = self._read(name)
            digest = hashlib.sha256(data).hexdigest()
            if (len(data), digest) != (file.get("num_bytes"), file.get("sha256")):
                raise ValueError(
                    f"{len(data):,} bytes of SHA-256 {digest}; {self._record} says"
                    f" {file.get('num_bytes')} of {file.get('sha256')}"
                )
            parquet = pq.ParquetFile(pa.BufferReader(data))
            num_rows = parquet.metadata.num_rows
            if is_scores:
                _check_columns(parquet.schema_arrow, columns)
                wanted = [field.name for field in columns if field.name in TAKEN]
                for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
                    self._accounts.take(batch)
        except (ValueError, LookupError, OSError, StorageError, pa.ArrowException) as error:
            self._all_read &= not is_scores
            return self._say(f"{name}: {' '.join(str(error).split())[:500]}")
        if num_rows != file.get("num_rows"):
            self._say(f"{name}: {num_rows:,} rows; {self._record} says {file.get('num_rows')}")
        self._num_files += 1
        self._num_rows += num_rows if is_scores else 0

    def _read_manifest(self, num_images: object) -> None:
        found = 0
        try:
            names = [stored.name for stored in list_contents(self._uri, self._options)]
            for name in names:
                if name.startswith("manifest/") and name.endswith(".parquet"):
                    parquet = pq.ParquetFile(pa.BufferReader(self._read(name)))
                    for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=["image_id"]):
                        self._accounts.expect(batch)
                        found += len(batch)
        except (ValueError, LookupError, OSError, StorageError, pa.ArrowException) as error:
            self._all_read = False
            return self._say(f"manifest: {' '.join(str(error).split())[:500]}")
        if found != num_images:
            self._say(f"manifest: {found:,} images; run.json says {num_images}")

    def _read(self, name: str) -> bytes:
        try:
            return read_object(join_uri(self._uri, *name.split("/")), self._options)
        except FileNotFoundError:
            raise ValueError("it is gone") from None

    def _compare_counts(self, document: dict[str, Any], found: dict[str, Any]) -> None:
        said = document.get("counts")
        for name, value in found.items():
            told = said.get(name) if isinstance(said, dict) else None
            if told != value:
                self._say(f"counts.{name}: {value} in the rows; {self._record} says {told}")

    def _say(self, fault: str) -> None:
        self._faults.append(fault)


def _check_columns(schema: Any, columns: Sequence[Any]) -> None:
    found = [(field.name, field.type) for field in schema][: len(columns)]
    for (name, kind), expected in zip(found, columns, strict=False):
        if (name, kind) != (expected.name, expected.type):
            raise ValueError(
                f"column {name} ({kind}), where {expected.name} ({expected.type}) has to be"
            )
    if len(found) < len(columns):
        raise ValueError(f"{len(found)} columns, where at least {len(columns)} have to be")


def _why(name: str, document: dict[str, Any]) -> str:
    if name.startswith("embeddings/") and "embeddings_pruned" in document:
        return " any more: let jobs/prune.py come to its end"
    return ", yet readers of the folder would read it"
