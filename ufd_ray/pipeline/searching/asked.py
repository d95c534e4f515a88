"""Searches that other processes do, asked from a worker: in all parts of a bank, or in any copy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import numpy as np
import ray
import ray.exceptions
from numpy.typing import NDArray

from ufd_ray.detectors import Embeddings, Neighbors, SearchCounts, merge_neighbors
from ufd_ray.errors import ClusterError
from ufd_ray.pipeline.ray_errors import our_errors_only

TRIES = 20
"""How often a question is put again to a process that was lost: none that dies of the question
itself, or of too little memory, may hold a run up for ever."""


class ShardedSearch:
    """The search in all parts of a bank, asked at the same time.

    Args:
        shards: actors, a part of the bank each, in the order of rows.
        rank: (N,) int64, place of every row among equals.
    """

    def __init__(self, shards: Sequence[Any], rank: NDArray[np.int64]) -> None:
        self._shards = shards
        self._rank = rank

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        leave_out: NDArray[np.int64] | None = None,
        per_class: int = 1,
    ) -> Neighbors:
        """As `NeighborSearch.search`, to the bit.

        Raises:
            ValueError: as there.
            StorageError: rows cannot be read or searched.
            ClusterError: a part's process was lost again and again, or its GPU cannot be used.
        """
        most = len(self._rank) - (leave_out is not None)
        if not 0 <= k <= most:
            raise ValueError(f"k must be from 0 to {most}, the rows that can be found, but is {k}")
        if not len(queries):  # parts that are streamed would be read for nothing
            return _nothing(k, per_class)
        # Once for all parts; each machine fetches it once, from the object store.
        asked = ray.put(queries)
        with _asking("a part"):
            arguments = (asked, k, leave_out, per_class)
            parts = ray.get([shard.search.remote(*arguments) for shard in self._shards])
        return merge_neighbors(parts, self._rank, k)


class CopiedSearch:
    """The search in the whole bank, of which several machines have a copy: they take turns.

    Args:
        copies: actors, the whole bank each; at least one.
    """

    def __init__(self, copies: Sequence[Any]) -> None:
        # Each worker begins with another one.
        first = os.getpid() % len(copies)
        self._turns = cycle([*copies[first:], *copies[:first]])

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        leave_out: NDArray[np.int64] | None = None,
        per_class: int = 1,
    ) -> Neighbors:
        """As `NeighborSearch.search`, to the bit.

        Raises:
            ValueError: as there.
            StorageError: the bank cannot be read or searched.
            ClusterError: the process was lost again and again, or its GPU cannot be used.
        """
        if not len(queries):
            return _nothing(k, per_class)
        with _asking("a copy"):
            copy = next(self._turns)
            found: Neighbors = ray.get(copy.search.remote(queries, k, leave_out, per_class))
        return found


@contextmanager
def _asking(what: str) -> Iterator[None]:
    with our_errors_only():
        try:
            yield
        except ray.exceptions.RayActorError as error:
            raise ClusterError(
                f"{what} of the bank was lost {TRIES} times while it was searched: its machine"
                " may have too little memory (--search-memory-mb)"
            ) from error


def _nothing(k: int, per_class: int) -> Neighbors:
    return Neighbors(
        index=np.empty((0, k), np.int64),
        similarity=np.empty((0, k)),
        class_similarity=np.empty((2, 0, per_class)),
        counts=SearchCounts(),
    )
