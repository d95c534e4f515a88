"""Images that are wanted in some order, as a source of Ray Data's own kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from ufd_ray.pipeline.training.pictures import DRAW, PLACE, PURPOSE

_ROWS_OF_A_TASK = 64
_ROW_BYTES = 512


@dataclass(frozen=True, eq=False)
class Lookup:
    """Pictures that are wanted, in this order.

    Attributes:
        places: (n,) int64, of the images among all that were surveyed.
        purpose: which recipe makes them.
        number: of the draw.
    """

    places: NDArray[np.int64]
    purpose: str
    number: int = 1

    def to_table(self) -> Any:
        """`pa.Table` of `PLACE`, `PURPOSE` and `DRAW`, a row each."""
        num = len(self.places)
        return pa.table(
            {
                PLACE: pa.array(self.places, pa.int64()),
                PURPOSE: pa.repeat(self.purpose, num),
                DRAW: pa.repeat(pa.scalar(self.number, pa.int32()), num),
            }
        )


class LookedUp(Datasource):  # type: ignore[misc] # Ray has no types
    """The rows of images, one task for a few: none of them carries more than their places.

    Args:
        images: reference to the `pa.Table` of `Surveyed`, which every machine then fetches once.
        wanted: which, in order.
    """

    def __init__(self, images: Any, wanted: Sequence[Lookup]) -> None:
        super().__init__()
        rows = pa.concat_tables([one.to_table() for one in wanted])
        self._tasks = [
            ReadTask(
                # Taken, not sliced: a slice is sent with all that it was cut from.
                partial(rows_of, images, rows.take(np.arange(start, _end(start, rows)))),
                BlockMetadata(
                    num_rows=_end(start, rows) - start,
                    size_bytes=_ROWS_OF_A_TASK * _ROW_BYTES,
                    input_files=None,
                    exec_stats=None,
                ),
            )
            for start in range(0, len(rows), _ROWS_OF_A_TASK)
        ]

    def __len__(self) -> int:
        return len(self._tasks)

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all rows."""
        return sum(task.metadata.size_bytes for task in self._tasks)

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
        """As many as there are, however many are asked for."""
        return self._tasks


def _end(start: int, rows: Any) -> int:
    return min(start + _ROWS_OF_A_TASK, len(rows))


def rows_of(images: Any, wanted: Any) -> list[Any]:
    """The rows of some images.

    Args:
        images: reference to the `pa.Table` of `Surveyed`.
        wanted: `pa.Table` of `PLACE`, `PURPOSE` and `DRAW`.

    Returns:
        One `pa.Table`, the columns of both, in the order of `wanted`.
    """
    rows = ray.get(images).take(wanted[PLACE].combine_chunks())
    for name in (PLACE, PURPOSE, DRAW):
        rows = rows.append_column(name, wanted[name])
    return [rows]
