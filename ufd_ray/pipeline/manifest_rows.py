"""A manifest as a source of Ray Data's own kind: a task a range.

Ray Data's own reader would list the files that this process has just written and read their
footers, each in a worker that has to be started first, and set aside a whole CPU for it. And its
checkpoint is only heeded behind a source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from ufd_ray.storage import ManifestRange, StorageOptions, read_range


class ManifestRows(Datasource):  # type: ignore[misc] # Ray has no types
    """The rows of a manifest, as Ray Data reads them.

    Args:
        ranges: what is read by one task each.
        read: a range → `pa.Table`s.
        row_bytes: of a row in memory, about.
        done: (num_images,) which rows are done, by position: a range of these alone is not read;
            None: none.
    """

    def __init__(
        self,
        ranges: Sequence[ManifestRange],
        read: Callable[[ManifestRange], Iterable[Any]],
        row_bytes: int,
        done: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__()
        self._tasks = [
            ReadTask(
                partial(read, part),
                BlockMetadata(
                    num_rows=None,
                    size_bytes=part.num_rows * row_bytes,
                    input_files=None,
                    exec_stats=None,
                ),
            )
            for part in ranges
            if done is None or not done[part.position : part.position + part.num_rows].all()
        ]

    def __len__(self) -> int:
        return len(self._tasks)

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all rows."""
        return sum(task.metadata.size_bytes for task in self._tasks)

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
        """One task a range, however many are asked for."""
        return self._tasks


def read_rows(listed: ManifestRange, storage: StorageOptions) -> list[Any]:
    """The rows of a range as they stand there.

    Raises:
        StorageError: they cannot be read.
    """
    return [read_range(listed, storage)]


def as_they_are(rows: Any) -> Any:
    """The same rows: a stage that does nothing. Here, since processes that read import no torch."""
    return rows
