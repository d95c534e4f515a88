"""All published runs → `ROOT/current/`: the newest row of every image, as Parquet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ufd_ray.errors import SettingsError
from ufd_ray.storage.cutting import cut
from ufd_ray.storage.documents import write_document
from ufd_ray.storage.folders import delete_folder
from ufd_ray.storage.objects import delete_object, write_object
from ufd_ray.storage.runs.folder import utc_now
from ufd_ray.storage.runs.history import ScoreFiles, published_runs
from ufd_ray.storage.runs.lease import Lease
from ufd_ray.storage.runs.newest import Columns, newest_rows, unite_columns
from ufd_ray.storage.runs.publication import PublishedFile, write_table
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

_LEASE_S = 60.0


@dataclass(frozen=True)
class Current:
    """What has been written.

    Attributes:
        uri: `ROOT/current`.
        num_images: rows.
        num_runs: published runs that were looked at.
        columns: of the rows.
    """

    uri: str
    num_images: int
    num_runs: int
    columns: Columns


def write_current(root: str, rows_per_file: int, options: StorageOptions) -> Current:
    """Write the newest row of every image below `ROOT/current/`, in place of what was there.

    While it is made anew there is no `_SUCCESS`; a reader waits for it, as for a run's.

    Args:
        root: what `--output` of the runs named.
        rows_per_file: rows in one file of `current/scores/`.
        options: how storage is reached.

    Raises:
        SettingsError: there is no published run, or its `run.json` cannot be read.
        StorageError: rows cannot be read or written; there is no `_SUCCESS` then.
        LeaseError: another process is at it.
    """
    if not published_runs(root, options):
        raise SettingsError(f"--output {root}: no published run below {join_uri(root, 'runs')}/")
    # Of two at once, one would seal what holds files of both.
    with Lease(join_uri(root, "current"), options, _LEASE_S) as lease:
        made = _write(root, rows_per_file, options, lease)
        lease.delete()
    return made


def _write(root: str, rows_per_file: int, options: StorageOptions, lease: Lease) -> Current:
    folder = join_uri(root, "current")
    for name in ("_SUCCESS", "current.json"):
        delete_object(join_uri(folder, name), options)
    runs = published_runs(root, options)
    files = ScoreFiles(root, runs, options)
    columns = unite_columns(files.schemas())
    delete_folder(join_uri(folder, "scores"), options)
    written: list[PublishedFile] = []
    counts = {name: Counter[str]() for name in ("run_id", "status", "verdict")}
    tables = cut(newest_rows(runs, files, columns), rows_per_file, columns.schema)
    for number, rows in enumerate(tables):
        for name, counter in counts.items():
            found = rows[name].drop_null().value_counts().to_pylist()
            counter.update({entry["values"]: entry["counts"] for entry in found})
        name = f"scores/part-{number:05d}.parquet"
        written.append(write_table(folder, name, rows, options))
    document = {
        "made_at": utc_now(),
        "runs": [
            {
                "run_id": run.run_id,
                "started_at": run.started_at,
                "detector_id": run.detector_id,
                "num_rows": counts["run_id"][run.run_id],
            }
            for run in runs
        ],
        "counts": {
            "images": counts["status"].total(),
            "by_status": dict(counts["status"]),
            "by_verdict": dict(counts["verdict"]),
        },
        "files": [file.to_dict() for file in written],
    }
    lease.check()
    lease.end()
    write_document(folder, "current.json", document, options)
    write_object(join_uri(folder, "_SUCCESS"), b"", options)
    return Current(folder, counts["status"].total(), len(runs), columns)
