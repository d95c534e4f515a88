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

from ufd_ray.pipeline.training.pictures import NUMBER, PLACE, PURPOSE

_ROWS_OF_A_TASK = 64
_ROW_BYTES = 512


@dataclass(frozen=True)
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


class LookedUp(Datasource):  # type: ignore[misc] # Ray has no types
    """The rows of images, one task for a few: none of them carries more than their places.

    Args:
        images: reference to the `pa.Table` of `Surveyed`, which every machine then fetches once.
        wanted: which, in order.
    """

    def __init__(self, images: Any, wanted: Sequence[Lookup]) -> None:
        super().__init__()
        self._tasks = [
            ReadTask(
                partial(rows_of, images, few),
                BlockMetadata(
                    num_rows=len(few.places),
                    size_bytes=len(few.places) * _ROW_BYTES,
                    input_files=None,
                    exec_stats=None,
                ),
            )
            for one in wanted
            for few in _cut(one)
        ]

    def __len__(self) -> int:
        return len(self._tasks)

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all rows."""
        return sum(task.metadata.size_bytes for task in self._tasks)

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
        """As many as there are, however many are asked for."""
        return self._tasks


def _cut(wanted: Lookup) -> list[Lookup]:
    return [
        Lookup(wanted.places[start : start + _ROWS_OF_A_TASK], wanted.purpose, wanted.number)
        for start in range(0, len(wanted.places), _ROWS_OF_A_TASK)
    ]


def rows_of(images: Any, wanted: Lookup) -> list[Any]:
    """The rows of some images, in a list of one `pa.Table`, with `PLACE`, `PURPOSE`, `NUMBER`."""
    places = pa.array(wanted.places)
    rows = ray.get(images).take(places).append_column(PLACE, places)
    rows = rows.append_column(PURPOSE, pa.array([wanted.purpose] * len(rows), pa.string()))
    return [rows.append_column(NUMBER, pa.array([wanted.number] * len(rows), pa.int32()))]
