"""Flagged images of published runs → one file for a moderation queue, CSV or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.schema import DECIDING
from ufd_ray.storage.objects import write_from
from ufd_ray.storage.runs.current_record import read_current, runs_held
from ufd_ray.storage.runs.history import PublishedRun, ScoreFiles, published_runs
from ufd_ray.storage.runs.marks import MARKED
from ufd_ray.storage.runs.newest import RUN
from ufd_ray.storage.runs.reruns import find_runs
from ufd_ray.storage.scratch import Scratch, open_scratch
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri, parse_uri

_READ = [
    *("image_id", "uri", "member", "content_hash", "duplicate_of"),
    *("probe_score", "nn_vote", "nn_margin", "verdict"),
]

_TEXT = ("uri", "member")
# The digits of a float32, not those of the double that stands in for it.
_DIGITS = "{0}::VARCHAR::DOUBLE"
_COLUMNS = {
    "image_id": "image_id", "uri": "uri", "member": "member", "verdict": "verdict",
    "score": _DIGITS, "decided_by": "decided_by", "probe_score": _DIGITS, "nn_vote": _DIGITS,
    "nn_margin": _DIGITS, "content_hash": "content_hash", "duplicate_of": "duplicate_of",
    "num_names": "num_names", "run_id": "run_id", "detector_id": "detector_id",
}  # fmt: skip

_NEWEST = """
    CREATE TABLE newest AS
    SELECT r.image_id::UUID AS image, max(f.run) AS run
    FROM published AS r
    JOIN run_of_file AS f ON f.file = r.__fragment_index
    GROUP BY image
"""
_ONLY_NEWEST = "SEMI JOIN newest AS n ON n.image = r.image_id::UUID AND n.run = w.key"
_RUN_OF_ROW = "(SELECT f.run FROM run_of_file AS f WHERE f.file = r.__fragment_index)"
_CHOOSE = """
    CREATE TABLE chosen AS
    SELECT * FROM (
        SELECT
            r.* EXCLUDE (__fragment_index),
            w.decided_by, w.run_id, w.detector_id, w.rank,
            CASE w.decided_by {cases} END AS score
        FROM published AS r
        JOIN whose AS w ON w.key = {key}
        {only_newest}
        WHERE list_contains($verdicts, r.verdict)
    )
    WHERE ($min_score IS NULL OR score >= $min_score::FLOAT)
      AND ($detector_id IS NULL OR detector_id = $detector_id)
"""
_ORDER = """
    CREATE TABLE ordered AS
    SELECT * EXCLUDE (rank, first), row_number() OVER (
        ORDER BY rank, score DESC NULLS LAST, image_id
    ) AS place
    FROM (
        SELECT *,
            count(*) OVER same AS num_names,
            row_number() OVER (same ORDER BY duplicate_of IS NOT NULL, image_id) AS first
        FROM chosen
        WINDOW same AS (PARTITION BY detector_id, coalesce(content_hash, image_id))
    )
    WHERE first = 1 OR $with_duplicates
"""
_COUNT = (
    "SELECT count(*), coalesce(sum(num_names), 0)::BIGINT, count(DISTINCT detector_id) FROM ordered"
)
_COPY = "COPY (SELECT {columns} FROM ordered ORDER BY place) TO '{file}' ({form})"


@dataclass(frozen=True)
class Choice:
    """Which rows.

    Attributes:
        verdicts: of these.
        min_score: of a deciding score of at least this; None: of any.
        limit: at most so many; None: all.
        with_duplicates: every name of the same bytes, rather than one.
        detector_id: of this detector; None: of any.
    """

    verdicts: tuple[str, ...] = ("fake",)
    min_score: float | None = None
    limit: int | None = None
    with_duplicates: bool = False
    detector_id: str | None = None


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        num_images: lines, without the header's.
        num_duplicates: further names of the same bytes, which were left out.
        num_detectors: detectors whose rows they are.
    """

    num_images: int
    num_duplicates: int
    num_detectors: int


def export_runs(
    root: str, run_ids: Sequence[str], choice: Choice, to: str, options: StorageOptions
) -> Exported:
    """Export images of published runs; of an image in several of them the newest row counts.

    Args:
        root: where the runs lie.
        run_ids: their names.
        choice: which rows.
        to: the file, which ends with `.csv` or `.jsonl`.
        options: how storage is reached.

    Raises:
        SettingsError: a run is not published, `to` is no place for it, or scores of several
            detectors would have to be compared.
        StorageError: something cannot be read or written; `to` is as it was then.
    """
    _check_place(root, to)
    runs = find_runs(root, run_ids, "--run-id", options)
    detectors = _check_detectors(runs, choice)
    files = ScoreFiles(root, runs, options)
    whose = _whose(runs, detectors, range(len(runs)), pa.int32())
    with open_scratch() as scratch, scratch.named("run_of_file", files.table_of_runs()):
        if len(runs) > 1:
            with _reading(scratch, files, ["image_id"]):
                scratch.database.execute(_NEWEST)
        only_newest = _ONLY_NEWEST if len(runs) > 1 else ""
        with _reading(scratch, files, _READ), scratch.named("whose", whose):
            _choose(scratch, choice, _RUN_OF_ROW, only_newest)
        return _write(scratch, choice, to, options)


def export_current(root: str, choice: Choice, to: str, options: StorageOptions) -> Exported:
    """Export images of `ROOT/current`. Arguments and errors as for `export_runs`.

    Raises:
        SettingsError: `current` is not complete, or holds rows of a run that is no more.
    """
    _check_place(root, to)
    uri = join_uri(root, "current")
    document = read_current(uri, "--current", options)
    held = runs_held(uri, "--current", document)
    runs = [run for run in published_runs(root, options) if run.run_id in held]
    if missing := sorted(held - {run.run_id for run in runs}):
        raise SettingsError(
            f"--current: it holds rows of run {missing[0]}, which is not published (any more); make"
            " it anew with jobs/current.py"
        )
    detectors = _check_detectors(runs, choice)
    files = ScoreFiles(root, [PublishedRun("current", uri, "", "", document)], options)
    whose = _whose(runs, detectors, [run.run_id for run in runs], pa.string())
    with open_scratch() as scratch:
        columns = [*_READ, "run_id"]
        with _reading(scratch, files, columns, RUN), scratch.named("whose", whose):
            _choose(scratch, choice, "r.run_id")
        if read_current(uri, "--current", options) != document:
            raise StorageError(f"{uri} was made anew while it was read; start again")
        return _write(scratch, choice, to, options)


def _check_place(root: str, to: str) -> None:
    place = parse_uri(to)
    for name in ("runs", "current"):
        folder = parse_uri(join_uri(root, name))
        same = (place.scheme, place.bucket) == (folder.scheme, folder.bucket)
        if same and place.key.startswith(folder.key.rstrip("/") + "/"):
            raise SettingsError(f"--to {to}: {root}/{name}/ holds nothing but our own files")


def _check_detectors(runs: Sequence[PublishedRun], choice: Choice) -> list[str]:
    """The detectors of these runs, newest first."""
    found = list(dict.fromkeys(run.detector_id for run in reversed(runs)))
    if choice.detector_id is not None and choice.detector_id not in found:
        raise SettingsError(
            f"--detector-id {choice.detector_id}: no row is that one's; there are"
            f" {', '.join(map(repr, found)) or 'none'}"
        )
    compares = choice.min_score is not None or choice.limit is not None
    if compares and len(found) > 1 and choice.detector_id is None:
        raise SettingsError(
            f"--min-score and --limit compare scores, and those of {len(found)} detectors are no"
            f" common scale; choose one with --detector-id: {', '.join(map(repr, found))}"
        )
    return found


def _whose(
    runs: Sequence[PublishedRun], detectors: Sequence[str], keys: Sequence[Any], kind: Any
) -> Any:
    """A row a run, found by its key (of this kind): what all its rows have in common."""
    words = [pa.field(name, pa.string()) for name in ("run_id", "detector_id", "decided_by")]
    schema = pa.schema([("key", kind), *words, ("rank", pa.int32())])
    rows = []
    for key, run in zip(keys, runs, strict=True):
        described = run.document.get("detectors")
        decided_by = described.get("decided_by") if isinstance(described, dict) else None
        if decided_by not in DECIDING:
            raise SettingsError(f"{run.uri}: run.json does not say which detector decided")
        rows.append(
            {
                "key": key,
                "run_id": run.run_id,
                "detector_id": run.detector_id,
                "decided_by": decided_by,
                "rank": detectors.index(run.detector_id),
            }
        )
    return pa.Table.from_pylist(rows, schema=schema)


@contextmanager
def _reading(
    scratch: Scratch, files: ScoreFiles, columns: list[str], further: Sequence[Any] = ()
) -> Iterator[None]:
    with files.clear_errors(), scratch.named("published", files.scan(columns, further)):
        yield


def _choose(scratch: Scratch, choice: Choice, key: str, only_newest: str = "") -> None:
    """Take the chosen rows; `key` is SQL for what tells in `whose` of which run a row is."""
    cases = " ".join(f"WHEN '{name}' THEN r.{column}" for name, column in DECIDING.items())
    scratch.database.execute(
        _CHOOSE.format(cases=cases, key=key, only_newest=only_newest),
        {
            "verdicts": list(choice.verdicts),
            "min_score": choice.min_score,
            "detector_id": choice.detector_id,
        },
    )


def _write(scratch: Scratch, choice: Choice, to: str, options: StorageOptions) -> Exported:
    database = scratch.database
    database.execute(_ORDER, {"with_duplicates": choice.with_duplicates})
    if choice.limit is not None:
        database.execute("DELETE FROM ordered WHERE place > ?", [choice.limit])
    num_images, num_names, num_detectors = database.execute(_COUNT).fetchall()[0]
    shown, form = _COLUMNS, "FORMAT json"
    if to.endswith(".csv"):
        shown = _COLUMNS | dict.fromkeys(_TEXT, MARKED)
        form = f"FORMAT csv, HEADER, FORCE_QUOTE ({', '.join(_TEXT)})"
    columns = ", ".join(f"{value.format(name)} AS {name}" for name, value in shown.items())
    file = scratch.folder / "export"
    quoted = str(file).replace("'", "''")
    database.execute(_COPY.format(columns=columns, file=quoted, form=form))
    write_from(to, file, options)
    num_duplicates = 0 if choice.with_duplicates else num_names - num_images
    return Exported(num_images, num_duplicates, num_detectors)
