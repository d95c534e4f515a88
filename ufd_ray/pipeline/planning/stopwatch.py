"""What a stage takes of the CPUs and of the clock: a second go and a third where they are short."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ufd_ray.sizing import ROWS_PER_BLOCK, StageCost

A = TypeVar("A")
T = TypeVar("T")

_GOES = 3
_LONG_S = 10.0
"""Seconds after which a stage goes over each further batch once only."""


def tables(rows: Any) -> Iterator[Any]:
    """A `pa.Table` in pieces, each of as many rows as a block of a run."""
    return (rows.slice(start, ROWS_PER_BLOCK) for start in range(0, len(rows), ROWS_PER_BLOCK))


@dataclass
class Stopwatch:
    """Times one stage, batch by batch.

    Attributes:
        own_work: its threads are all of this process; else another process computes for it, one at
            a time, and the clock counts as work.
        core_s: core-seconds of all batches, the median of each.
        wall_s: seconds by the clock likewise.
    """

    own_work: bool = True
    core_s: float = 0.0
    wall_s: float = 0.0
    _spent_s: float = field(default=0.0, repr=False)

    def time(self, work: Callable[[A], T], batch: A) -> T:
        """Do a batch, perhaps again, and return what came of it."""
        cores, walls = [], []
        for _ in range(_GOES):
            cpu, clock = time.process_time(), time.perf_counter()
            made = work(batch)
            walls.append(time.perf_counter() - clock)
            cores.append(time.process_time() - cpu if self.own_work else walls[-1])
            self._spent_s += walls[-1]
            if self._spent_s > _LONG_S:
                break
        self.core_s += statistics.median(cores)
        self.wall_s += statistics.median(walls)
        return made

    def cost(self, num_images: int) -> StageCost:
        """Per image, of so many that were timed."""
        return StageCost(self.core_s / num_images, self.wall_s / num_images)
