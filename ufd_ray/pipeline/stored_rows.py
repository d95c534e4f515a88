"""The first stage of a run of stored embeddings: a manifest → rows with their embeddings.

A range of the manifest ends where a row group of embeddings does, so that none is read by two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

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
    read_range,
    read_stored,
)

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
