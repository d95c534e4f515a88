"""A worker's pictures, in its own order, from a Ray Data flow of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data
from numpy.typing import NDArray

from ufd_ray.errors import AccountsError
from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.placement import LIGHT
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.reading import fetch_images, light_stages
from ufd_ray.pipeline.rows import pixel_batch
from ufd_ray.pipeline.training.lookups import LookedUp, Lookup
from ufd_ray.pipeline.training.pictures import PLACE, Wanted, make_pictures
from ufd_ray.storage import FetchLimits, StorageOptions


@dataclass(frozen=True)
class Reading:
    """How pictures are read.

    Attributes:
        wanted: how pixels are made.
        limits: bounds of fetching.
        decode_limits: bounds of decoding.
        storage: how storage is reached.
    """

    wanted: Wanted
    limits: FetchLimits
    decode_limits: DecodeLimits
    storage: StorageOptions

    @property
    def size(self) -> int:
        """Side of all pictures, pixels."""
        (size,) = {recipe.size for recipe in self.wanted.recipes.values()}
        return size


@dataclass(frozen=True, eq=False)
class Pictures:
    """Some pictures that came.

    Attributes:
        pixels: uint8 (m, size, size, 3).
        labels: int64 (m,).
        places: int64 (m,).
        num_failed: that were wanted as well, and could not be read this time.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    places: NDArray[np.int64]
    num_failed: int = 0

    def __len__(self) -> int:
        return len(self.labels)


class Stream:
    """Pictures in the order in which they are wanted, read ahead while others are worked on.

    Args:
        images: reference to the `pa.Table` of `Surveyed`.
        wanted: what is to come.
        reading: how.
    """

    def __init__(self, images: Any, wanted: Sequence[Lookup], reading: Reading) -> None:
        self._size = reading.size
        source = LookedUp(images, wanted)
        self._blocks: Iterator[Any] = _flow(source, reading) if len(source) else iter(())
        self._left: Any = None

    def take(self, num: int) -> Pictures:
        """The next so many.

        Raises:
            AccountsError: there are not so many left.
            UfdError: what reads them does not work.
        """
        found, missing = [], num
        while missing:
            if self._left is None or not len(self._left):
                with our_errors_only():
                    self._left = next(self._blocks, None)
                if self._left is None:
                    raise AccountsError(f"{missing:,} pictures that were to be read did not come")
            found.append(self._left.slice(0, missing))
            self._left = self._left.slice(missing)
            missing -= len(found[-1])
        return self._pictures(pa.concat_tables(found)) if found else self.none()

    def none(self) -> Pictures:
        """No picture."""
        nothing = np.empty(0, np.int64)
        return Pictures(np.empty((0, self._size, self._size, 3), np.uint8), nothing, nothing)

    def _pictures(self, rows: Any) -> Pictures:
        pixels, there = pixel_batch(rows["pixels"], self._size)
        labels = np.asarray(rows["label"], np.int64)[there]
        places = np.asarray(rows[PLACE], np.int64)[there]
        return Pictures(pixels, labels, places, int((~there).sum()))


def _flow(source: LookedUp, reading: Reading) -> Iterator[Any]:
    rows = light_stages(
        ray.data.read_datasource(source, override_num_blocks=len(source), num_cpus=LIGHT),
        partial(fetch_images, storage=reading.storage, limits=reading.limits),
        partial(make_pictures, wanted=reading.wanted, limits=reading.decode_limits),
    )
    return iter(rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=2))
