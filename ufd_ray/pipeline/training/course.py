"""A worker's way through the epochs: which pictures come next, read ahead over their ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
import ray
from numpy.typing import NDArray

from ufd_ray.baselines import TrainingRecipe
from ufd_ray.pipeline.training.lookups import Lookup
from ufd_ray.pipeline.training.order import epoch_batches, share_of
from ufd_ray.pipeline.training.pictures import TRAIN, VAL
from ufd_ray.pipeline.training.stream import Reading, Stream

_ROWS_OF_A_STREAM = 16_384
"""Pictures that one flow reads, at least an epoch's: a flow takes a second to start, and small
epochs follow each other within one."""


class Course:
    """The pictures of one worker, epoch after epoch.

    Those that train come before those that validate, so that the next epoch's are being read while
    these are judged.

    Args:
        images: reference to the `pa.Table` of `Surveyed`.
        reading: how pictures are read.
        recipe: sizes and number of batches.
        seed: of the order.
        rank: this worker's number.
        world_size: number of workers.
    """

    def __init__(
        self,
        images: Any,
        reading: Reading,
        recipe: TrainingRecipe,
        seed: int,
        rank: int,
        world_size: int,
    ) -> None:
        self._images, self._reading, self._recipe, self._seed = images, reading, recipe, seed
        self._rank, self._world_size = rank, world_size
        table = ray.get(images)
        self._training = places_of(table, TRAIN)
        self._labels = np.asarray(table["label"], np.int8)[self._training]
        self._validating = share_of(places_of(table, VAL), rank, world_size)
        self._next = 0
        self._stream: Stream | None = None

    @property
    def num_validating(self) -> int:
        """Images that validate here."""
        return len(self._validating)

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """This worker's images of each batch; a small last one may leave it none."""
        batches = epoch_batches(
            self._labels,
            self._recipe.batch_size,
            seed=self._seed,
            epoch=epoch,
            balanced=self._recipe.balanced,
        )
        return [self._training[share_of(one, self._rank, self._world_size)] for one in batches]

    def stream(self, epoch: int) -> Stream:
        """From which the epoch's pictures come: called once an epoch, in order."""
        if self._stream is None or epoch == self._next:
            self._stream, self._next = self._start(epoch)
        return self._stream

    def end(self) -> None:
        """Give up what is still being read."""
        self._stream = None

    def _start(self, epoch: int) -> tuple[Stream, int]:
        wanted: list[Lookup] = []
        num_rows = 0
        while not wanted or (num_rows < _ROWS_OF_A_STREAM and epoch <= self._recipe.max_epochs):
            places = np.concatenate([np.empty(0, np.int64), *self.batches(epoch)])
            wanted += [Lookup(places, TRAIN, epoch), Lookup(self._validating, VAL)]
            num_rows += len(places) + len(self._validating)
            epoch += 1
        return Stream(self._images, wanted, self._reading), epoch


def places_of(images: Any, split: str) -> NDArray[np.int64]:
    """Where the images of a split are in the `pa.Table` of `Surveyed`, rising."""
    return np.flatnonzero(np.asarray(pc.equal(images["split"], split)))
