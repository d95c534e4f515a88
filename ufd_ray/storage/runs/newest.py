"""The newest row of every image over all published runs, as one stream of one schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.schema import SCORES
from ufd_ray.storage.runs.history import PublishedRun, ScoreFiles
from ufd_ray.storage.scratch import open_scratch

RUN: tuple[Any, ...] = (
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("detector_id", pa.string(), nullable=False),
)
"""Whose row it is; stands after the columns of the scores."""

_OWN = (*SCORES, *RUN)
_BATCH_ROWS = 16_384


@dataclass(frozen=True)
class Columns:
    """What the rows of several runs look like together.

    Attributes:
        schema: `SCORES`, `RUN`, then every further column that a run has.
        as_text: further columns whose types differ between runs: they are text.
        left_out: further columns that bear the name of a column of `RUN`.
    """

    schema: Any
    as_text: tuple[str, ...]
    left_out: tuple[str, ...]


def unite_columns(schemas: Sequence[Any]) -> Columns:
    """The columns of runs, one schema each."""
    own = {field.name for field in _OWN}
    kinds: dict[str, set[Any]] = {}
    for schema in schemas:
        for column in schema:
            kinds.setdefault(column.name, set()).add(column.type)
    further = {name: found for name, found in kinds.items() if name not in own}
    as_text = tuple(name for name, found in further.items() if len(found) > 1)
    fields = [
        pa.field(name, pa.string() if name in as_text else min(found, key=str))
        for name, found in further.items()
    ]
    left_out = tuple(field.name for field in RUN if field.name in kinds)
    return Columns(pa.schema([*_OWN, *fields]), as_text, left_out)


def newest_rows(runs: Sequence[PublishedRun], files: ScoreFiles, columns: Columns) -> Iterator[Any]:
    """Of every image the row of the newest run that has one; runs oldest first, rows as they lie.

    Ids alone are held against one another (1 GB at most, the rest spills); rows stream.

    Args:
        runs: oldest first.
        files: theirs.
        columns: of what comes out.

    Yields:
        `pa.Table`s of `columns.schema`.

    Raises:
        StorageError: scores cannot be read.
    """
    newest, rows_of_file = _newest(files)
    begun = 0
    for number, num_rows in enumerate(rows_of_file.tolist()):
        mask, begun = newest[begun : begun + num_rows], begun + num_rows
        if not mask.any():
            continue
        run, place = runs[files.run_of_file[number]], 0
        for batch in files.read(number, _BATCH_ROWS):
            rows = pa.Table.from_batches([batch])
            rows = rows.filter(pa.array(mask[place : place + len(batch)]))
            place += len(batch)
            with files.clear_errors():
                conformed = _conformed(rows, run, columns)
            yield conformed


def _newest(files: ScoreFiles) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which rows are the newest of their image, over all files; and how many each file has."""
    rows_of_file = np.zeros(len(files.run_of_file), np.int64)
    schema = pa.schema([("image_id", pa.string()), ("ordinal", pa.int64())])

    def numbered() -> Iterator[Any]:
        begun = 0
        for batch in files.scan(["image_id"]):
            found = np.bincount(batch["__fragment_index"].to_numpy(), minlength=len(rows_of_file))
            rows_of_file[:] += found
            ordinals = pa.array(np.arange(begun, begun + len(batch)))
            begun += len(batch)
            yield pa.record_batch([batch["image_id"], ordinals], schema=schema)

    with files.clear_errors(), open_scratch() as scratch:
        reader = pa.RecordBatchReader.from_batches(schema, numbered())
        with scratch.named("published", reader):
            # Numbers rise from run to run: the greatest is the newest.
            scratch.database.execute(
                "CREATE TABLE newest AS"
                " SELECT max(ordinal) AS ordinal FROM published GROUP BY image_id::UUID"
            )
        newest = np.zeros(rows_of_file.sum(), bool)
        for batch in scratch.database.sql("FROM newest").to_arrow_reader(100_000):
            newest[batch["ordinal"].to_numpy()] = True
    return newest, rows_of_file


def _conformed(rows: Any, run: PublishedRun, columns: Columns) -> Any:
    whose = {"run_id": run.run_id, "detector_id": run.detector_id}
    values = []
    for column in columns.schema:
        if column.name in whose:
            values.append(pa.repeat(whose[column.name], len(rows)))
        elif column.name not in rows.column_names:
            values.append(pa.nulls(len(rows), column.type))
        elif column.name in columns.as_text:
            values.append(_as_text(rows[column.name]))
        else:
            values.append(rows[column.name].cast(column.type))
    return pa.table(values, schema=columns.schema)


def _as_text(column: Any) -> Any:
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # bytes; lists and structs
        values = column.to_pylist()
        return pa.array([None if v is None else json.dumps(v, default=str) for v in values])
