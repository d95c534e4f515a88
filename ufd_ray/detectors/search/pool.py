"""The candidates of a block of queries, and the floors that rise with them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.candidates import Candidates, joined
from ufd_ray.detectors.search.floors import Floors
from ufd_ray.schema import FAKE, REAL

MOST = 2048
"""Rows that a query may have in its pool. One that needs more is crowded, and searched apart."""


class Pool:
    """Candidates of a block of queries.

    Args:
        num_queries: q.
        k: neighbours that are wanted of the joint bank.
        leave_out: (q,) row that each query may not find; None: none.
        floors: what is known already; None: nothing.

    Attributes:
        floors: what is known.
        crowded: (q,) bool, queries with more than `MOST` candidates: theirs are not kept.
    """

    def __init__(
        self,
        num_queries: int,
        k: int,
        leave_out: NDArray[np.int64] | None,
        floors: Floors | None = None,
    ) -> None:
        self._k = k
        self._leave_out = leave_out
        self._own = 0 if leave_out is None else 1
        self.floors = Floors.unknown(num_queries, k) if floors is None else floors
        self.crowded: NDArray[np.bool_] = np.zeros(num_queries, bool)
        self._parts: list[Candidates] = []
        self._num = 0
        self._started: set[int] = set()

    @property
    def most_wanted(self) -> int:
        """Rows of a tile that the first floors are drawn from, at least."""
        return max(self._k, 1) + self._own

    def drop(self, crowded: NDArray[np.bool_]) -> None:
        """Give some of the queries up, (q,): they are searched apart."""
        self.crowded |= crowded

    def has_started(self, label: int) -> bool:
        """Whether first floors were drawn from rows of this class."""
        return label in self._started

    def reach(self, label: int) -> NDArray[np.float32]:
        """(q,): what a row of this class has to reach; infinity for the crowded."""
        return np.where(self.crowded, np.float32(np.inf), self.floors.of(label))

    def start(self, label: int, low: torch.Tensor) -> None:
        """Draw first floors from the similarities that some rows of a class have at least.

        Args:
            label: the class.
            low: (m, q), of m different rows for each query.
        """
        self._started.add(label)
        for floor, wanted in (
            (self.floors.joint, self._k + self._own),
            (self.floors.nearest[label], 1 + self._own),
        ):
            if self._own < wanted <= len(low):
                known = low.amax(dim=0) if wanted == 1 else low.topk(wanted, dim=0).values[-1]
                np.maximum(floor, known.cpu().numpy(), out=floor)

    def add(self, found: Candidates) -> None:
        """Take candidates in."""
        if self._leave_out is not None:
            found = found.take(found.row != self._leave_out[found.query])
        self._parts.append(found)
        self._num += len(found)

    def __len__(self) -> int:
        return self._num

    def raise_floors(self) -> Candidates:
        """Draw floors from the candidates, drop those below, and return the others.

        Queries with too many are crowded from now on.
        """
        found = joined(self._parts)
        for label, floor in self.floors.nearest.items():
            of_class = found.label == label
            np.maximum.at(floor, found.query[of_class], found.low[of_class])
        if self._k:
            known = _kth_largest(found.query, found.low, self._k, len(self.crowded))
            np.maximum(self.floors.joint, known, out=self.floors.joint)
        found = self._reaching(found)
        self.crowded |= np.bincount(found.query, minlength=len(self.crowded)) > MOST
        if self.crowded.any():
            found = found.take(~self.crowded[found.query])
        self._parts, self._num = [found], len(found)
        return found

    def _reaching(self, found: Candidates) -> Candidates:
        floor = np.empty(len(found), np.float32)
        for label in (REAL, FAKE):
            of_class = found.label == label
            floor[of_class] = self.floors.of(label)[found.query[of_class]]
        return found.take(found.high >= floor)


def _kth_largest(
    query: NDArray[np.int64], value: NDArray[np.float32], k: int, num_queries: int
) -> NDArray[np.float32]:
    """(num_queries,): the k-th largest value of each query, or less; -infinity of fewer than k."""
    small = query.astype(np.uint16) if num_queries <= 2**16 else query
    order = np.argsort(small, kind="stable")  # of 16 bits: in linear time
    ordered = query[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, np.arange(num_queries))[ordered]
    seen = place < 2 * MOST  # what one query has beyond that would widen the table of all
    width = int(place[seen].max(initial=0)) + 1
    table = np.full((num_queries, max(width, k)), -np.inf, np.float32)
    table[ordered[seen], place[seen]] = value[order[seen]]
    return torch.from_numpy(table).topk(k, dim=1).values[:, -1].numpy()
