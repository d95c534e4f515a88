"""What `--run` names: a published run, or the newest rows of all of them in `current`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.schema import DECIDING
from ufd_ray.storage.objects import object_exists
from ufd_ray.storage.runs.current_record import read_current, runs_held
from ufd_ray.storage.runs.history import PublishedRun, ScoreFiles, published_run, published_runs
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri


@dataclass(frozen=True)
class Scored:
    """Rows of one detector.

    Attributes:
        rows: the run; of `current` what stands for one.
        is_current: whether it is `current`.
        identity: whose rows they are, by what they were decided, and a digest of their files, as a
            record keeps it.
    """

    rows: PublishedRun
    is_current: bool
    identity: dict[str, Any]

    @property
    def column(self) -> str:
        """The column of the deciding score."""
        return DECIDING[self.identity["decided_by"]]

    def files(self, options: StorageOptions) -> ScoreFiles:
        """Its rows.

        Raises:
            SettingsError: it does not say which files it has.
        """
        root = self.rows.uri.rsplit("/", 1 if self.is_current else 2)[0]
        return ScoreFiles(root or self.rows.uri, [self.rows], options)

    def check_unchanged(self, options: StorageOptions) -> None:
        """See that `current` was not made anew since.

        Raises:
            SettingsError: it is being made anew.
            StorageError: it was.
        """
        if self.is_current:
            uri = self.rows.uri
            if read_current(uri, f"--run {uri}", options) != self.rows.document:
                raise StorageError(f"{uri} was made anew while it was read; start again")


def find_scored(place: str, options: StorageOptions) -> Scored:
    """The rows that `--run` names.

    Args:
        place: a run's folder, `ROOT/current`, or ROOT for the latter.
        options: how storage is reached.

    Raises:
        SettingsError: there are none, their record cannot be gone by, or they are of several
            detectors.
        StorageError: the storage does not say.
    """
    given = f"--run {place}"
    for folder in (join_uri(place, "current"), place.rstrip("/")):
        if object_exists(join_uri(folder, "current.json"), options):
            return _current(folder, given, options)
    run = published_run(place.rstrip("/"), options)
    if run is None:
        raise SettingsError(
            f"{given}: neither a published run (ROOT/runs/RUN_ID with _SUCCESS in it), nor a ROOT"
            " with a current/ that jobs/current.py made"
        )
    return Scored(run, False, _identity("run", run, [run], given))


def _current(folder: str, given: str, options: StorageOptions) -> Scored:
    document = read_current(folder, given, options)
    held = runs_held(folder, given, document)
    head, slash, _ = folder.rpartition("/")
    root = head or slash or "."
    runs = [run for run in published_runs(root, options) if run.run_id in held]
    if missing := sorted(held - {run.run_id for run in runs}):
        raise SettingsError(
            f"{given}: {folder} holds rows of run {missing[0]}, which is not published (any more);"
            " make it anew with jobs/current.py"
        )
    found = sorted({run.detector_id for run in runs})
    if len(found) != 1:
        raise SettingsError(
            f"{given}: rows of {len(found)} detectors ({', '.join(map(repr, found)) or 'no rows'}),"
            " whose verdicts are not to be judged together; give one run: ROOT/runs/RUN_ID"
        )
    rows = PublishedRun("current", folder, "", found[0], document)
    return Scored(rows, True, _identity("current", rows, runs, given))


def _identity(
    kind: str, rows: PublishedRun, runs: list[PublishedRun], given: str
) -> dict[str, Any]:
    described = runs[-1].document.get("detectors")
    facts = described if isinstance(described, dict) else {}
    if facts.get("decided_by") not in DECIDING:
        raise SettingsError(f"{given}: run.json does not say which detector decided")
    files = json.dumps(rows.document.get("files"), sort_keys=True)
    return {
        "kind": kind,
        "uri": rows.uri,
        "run_ids": [run.run_id for run in runs],
        "detector_id": rows.detector_id,
        **{name: facts.get(name) for name in ("decided_by", "threshold", "unsure_above")},
        "files_sha256": hashlib.sha256(files.encode()).hexdigest(),
    }
