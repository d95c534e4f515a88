"""The first stage of a run of stored embeddings: a manifest → rows with their embeddings.

A source of Ray Data's own kind, since its checkpoint is only heeded behind one: a task a range of
the manifest, which ends where a row group of embeddings does, so that none is read by two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from ufd_ray.errors import ErrorCode, ImageError, ModelError
from ufd_ray.pipeline.checkpoint import LeaveOut
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import put_errors
from ufd_ray.schema import EMBEDDING_AT, STATUS
from ufd_ray.storage import (
    ROWS_AT_ONCE,
    ManifestRange,
    StorageOptions,
    cells_as_matrix,
    embedding_column,
    manifest_ranges,
    read_range,
    read_stored,
)

_ROWS_PER_TASK = 32_768

_NULL = ModelError(ErrorCode.NOT_FINITE, "the stored embedding is null")
_UNUSABLE = ModelError(
    ErrorCode.NOT_FINITE,
    "the stored embedding has NaN or infinite numbers in the detectors' precision, or is all zeros",
)


@dataclass(frozen=True)
class Recalling:
    """How embeddings are read.

    Attributes:
        column: their name.
        dim: numbers in an embedding.
        dtype: the precision that detectors take them in, `float32` or `float16`.
        storage: how storage is reached.
        tally: where times are reported; None: nowhere.
    """

    column: str
    dim: int
    dtype: str
    storage: StorageOptions
    tally: Any = None

    def rows(self, listed: ManifestRange, left_out: LeaveOut | None = None) -> Iterator[Any]:
        """Read a range of the manifest, but for the rows that are `left_out`.

        Yields:
            `pa.Table`s of the manifest's columns, those of `STATUS` as far as they are known, and
            `embedding`, fixed-size list of the dtype; null where there is an error: one that the
            manifest has already, or one of the stored embedding's.

        Raises:
            StorageError: the manifest or a file of embeddings cannot be read, or has changed.
        """
        rows = read_range(listed, self.storage)
        rows = left_out(rows) if left_out else rows
        places = rows[EMBEDDING_AT.name].combine_chunks()
        rows = _with_status(rows.drop_columns([EMBEDDING_AT.name]))
        stored = places.is_valid()
        pieces = self._read(rows.filter(stored), places.filter(stored))
        while True:
            with timed(self.tally, "recall", 0) as report:
                piece, report.num_errors = next(pieces, (None, 0))
                report.num_images = 0 if piece is None else len(piece)
            if piece is None:
                break
            yield piece
        # Images of an earlier run that had failed there.
        rest = rows.filter(places.is_null())
        for start in range(0, len(rest), ROWS_AT_ONCE):
            few = rest.slice(start, ROWS_AT_ONCE)
            nothing = np.zeros((len(few), self.dim), self.dtype)
            none = np.zeros(len(few), bool)
            yield few.append_column("embedding", embedding_column(nothing, none))

    def _read(self, rows: Any, places: Any) -> Iterator[tuple[Any, int]]:
        begun = 0
        for cells in read_stored(places, self.column, self.storage):
            matrix, sizes, usable = cells_as_matrix(cells, self.dim, self.dtype)
            piece = rows.slice(begun, len(cells))
            begun += len(cells)
            if not usable.all():
                errors = [
                    None if u else self._error(int(n)) for u, n in zip(usable, sizes, strict=True)
                ]
                piece = put_errors(piece, errors)
            column = embedding_column(matrix, None if usable.all() else usable)
            yield piece.append_column("embedding", column), int((~usable).sum())

    def _error(self, size: int) -> ImageError:
        if size == self.dim:
            return _UNUSABLE
        if size < 0:
            return _NULL
        message = f"the stored embedding has {size} numbers, and the detectors take {self.dim}"
        return ModelError(ErrorCode.CORRUPT, message)


def _with_status(rows: Any) -> Any:
    for field in STATUS:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows


class StoredRows(Datasource):  # type: ignore[misc] # Ray has no types
    """The rows of a manifest of stored embeddings, as Ray Data reads them.

    Args:
        manifest: URI of its folder.
        how: how embeddings are read.
        done: (num_images,) which rows are done, by position; None: none.

    Raises:
        StorageError: the manifest cannot be read.
    """

    def __init__(
        self, manifest: str, how: Recalling, done: npt.NDArray[np.bool_] | None = None
    ) -> None:
        super().__init__()
        ranges = manifest_ranges(manifest, _ROWS_PER_TASK, how.storage)
        left_out = None
        if done is not None:
            left_out = LeaveOut(done)
            ranges = [r for r in ranges if not done[r.position : r.position + r.num_rows].all()]
        self._tasks = [
            ReadTask(
                partial(how.rows, part, left_out),
                BlockMetadata(
                    num_rows=None,
                    size_bytes=part.num_rows * how.dim * np.dtype(how.dtype).itemsize,
                    input_files=None,
                    exec_stats=None,
                ),
            )
            for part in ranges
        ]

    def __len__(self) -> int:
        return len(self._tasks)

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all embeddings."""
        return sum(task.metadata.size_bytes for task in self._tasks)

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
        """One task a range, however many are asked for."""
        return self._tasks
