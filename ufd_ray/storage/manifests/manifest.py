"""Inputs → a run's own manifest: every image once, with its place, as Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.errors import SettingsError
from ufd_ray.schema import MANIFEST, POSITION
from ufd_ray.storage.cutting import cut
from ufd_ray.storage.manifests.candidates import Candidates
from ufd_ray.storage.manifests.ledger import Ledger
from ufd_ray.storage.objects import write_object
from ufd_ray.storage.scratch import open_scratch
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

_ROWS_PER_FILE = 500_000
_ROWS_PER_GROUP = 65_536
"""What is read at least, by a task that is given a part of such a file."""


@dataclass(frozen=True)
class ManifestInfo:
    """What a manifest holds, and what it leaves out.

    Attributes:
        num_images: its rows; the positions are 0 … num_images - 1.
        num_repeated: further mentions of images that the inputs named more than once.
        num_unchanged: images that the ledger knows as they are; not in the manifest.
        num_older: those of them that another detector scored last.
        older_runs: ids of the runs that hold these rows, newest first.
        num_unversioned: images without etag or date, by which a ledger could tell a change; they
            are always in the manifest.
        further: fields of the columns that are carried through.
        num_postponed: new or changed images that the limit cuts off.
    """

    num_images: int
    num_repeated: int
    num_unchanged: int
    num_older: int
    older_runs: tuple[str, ...]
    num_unversioned: int
    further: tuple[Any, ...]
    num_postponed: int = 0


@dataclass(frozen=True)
class Selection:
    """The images of a run, before anything is written.

    Attributes:
        info: how many, and what was left out.
        schema: `MANIFEST`, then the further columns.
        tables: `pa.Table`s of that schema, in order; read once.
    """

    info: ManifestInfo
    schema: Any
    tables: Iterator[Any]


@contextmanager
def select_images(
    tables: Iterable[Any], *, limit: int | None = None, ledger: Ledger | None = None
) -> Iterator[Selection]:
    """Leave out repetitions, what the ledger knows and what the limit cuts off; number the rest.

    All rows pass through a local temporary folder. In memory are 1 GB of keys at most (the rest
    spills), a quarter of a million rows, and about ten bytes an image.

    Args:
        tables: as `Inputs.tables` yields them.
        limit: only the first so many different images; what comes later is not read. With a ledger,
            which is held against all of them, only the first so many that are new or changed.
        ledger: leave out what has not changed since; None: leave out nothing.

    Raises:
        SettingsError: two inputs give the same further column different types.
        StorageError: the temporary folder is full, or published scores cannot be read.
    """
    with open_scratch() as scratch:
        candidates = Candidates(tables, scratch, limit if ledger is None else None)
        taken = candidates.first_mentions()
        if limit is not None and ledger is None:
            taken = _cut_off(taken, limit)
        num_different = num_new = int(taken.sum())
        num_repeated = len(taken) - num_different
        older: dict[str, int] = {}
        if ledger is not None:
            run_of = ledger.holding_runs(scratch, len(candidates))
            older = _count_older(run_of[taken], ledger)
            taken &= run_of < 0
            num_new = int(taken.sum())
            if limit is not None:
                taken = _cut_off(taken, limit)
        num_images = int(taken.sum())
        info = ManifestInfo(
            num_images=num_images,
            num_repeated=num_repeated,
            num_unchanged=num_different - num_new,
            num_older=sum(older.values()),
            older_runs=tuple(older),
            num_unversioned=int((taken & candidates.unversioned[: len(taken)]).sum()),
            further=candidates.further,
            num_postponed=num_new - num_images,
        )
        schema = pa.schema([*MANIFEST, *info.further])
        yield Selection(info, schema, _numbered(candidates, taken, schema))


def write_manifest(
    folder: str,
    tables: Iterable[Any],
    options: StorageOptions,
    *,
    limit: int | None = None,
    checked: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ledger: Ledger | None = None,
) -> ManifestInfo:
    """Write the manifest of a run.

    Args:
        folder: where its Parquet files go.
        tables: as `Inputs.tables` yields them.
        options: how storage is reached.
        limit: only the first so many images.
        checked: passes the numbered tables on, or raises.
        ledger: leave out what has not changed since; None: leave out nothing.

    Raises:
        SettingsError: two inputs give the same further column different types.
        StorageError: the folder cannot be written.
    """
    with select_images(tables, limit=limit, ledger=ledger) as selection:
        files = cut(checked(selection.tables), _ROWS_PER_FILE, selection.schema)
        for number, rows in enumerate(files):
            sink = io.BytesIO()
            try:
                pq.write_table(rows, sink, row_group_size=_ROWS_PER_GROUP)
            except pa.ArrowException as error:
                raise SettingsError(
                    f"--input: a column cannot be carried through ({error})"
                ) from error
            write_object(join_uri(folder, f"part-{number:05d}.parquet"), sink.getvalue(), options)
    return selection.info


def _cut_off(firsts: npt.NDArray[np.bool_], limit: int) -> npt.NDArray[np.bool_]:
    """What lies up to the first mention of the last image that the limit allows."""
    places = np.flatnonzero(firsts)
    return firsts if len(places) < limit else firsts[: places[limit - 1] + 1]


def _count_older(run_of: npt.NDArray[np.int32], ledger: Ledger) -> dict[str, int]:
    counts = np.bincount(run_of[run_of >= 0], minlength=len(ledger.runs))
    pairs = zip(reversed(ledger.runs), reversed(counts.tolist()), strict=True)
    return {run.run_id: count for run, count in pairs if count and ledger.is_older(run)}


def _numbered(candidates: Candidates, taken: npt.NDArray[np.bool_], schema: Any) -> Iterator[Any]:
    begun = position = 0
    for table in candidates.tables():
        mask = taken[begun : begun + len(table)]
        begun += len(table)
        rows = table.slice(0, len(mask)).filter(pa.array(mask))
        places = pa.array(np.arange(position, position + len(rows)))
        position += len(rows)
        yield rows.append_column(POSITION, places).select(schema.names).cast(schema)
