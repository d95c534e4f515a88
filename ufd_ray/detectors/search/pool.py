"""The candidates of a block of queries, and the floors that rise with them."""

from __future__ import annotations

import math

import torch

from ufd_ray.detectors.search.candidates import Candidates, joined
from ufd_ray.detectors.search.floors import Floors, Wanted
from ufd_ray.schema import FAKE, REAL

MOST = 2048
"""Rows that a query may have in its pool. One that needs more is crowded, and searched apart."""
_WAITING = 256
"""Candidates that wait for higher floors, on average of a block's queries. With what is looked at
of one tile they bound what a scan holds beside the tile's products."""


class Pool:
    """Candidates of a block of queries, on any device.

    Args:
        floors: what is known of the q queries already.
        wanted: how many rows of each query are.
        leave_out: (q,) int64, row that each query may not find; None: none.

    Attributes:
        floors: what is known.
        crowded: (q,) bool, queries with more than `MOST` candidates: theirs are not kept.
    """

    def __init__(self, floors: Floors, wanted: Wanted, leave_out: torch.Tensor | None) -> None:
        self._wanted = wanted
        self._leave_out = leave_out
        self._own = 0 if leave_out is None else 1
        self.floors = floors
        self.crowded = torch.zeros_like(floors.joint, dtype=torch.bool)
        self._parts: list[Candidates] = []
        self._num = 0
        self._started: set[int] = set()

    @property
    def most_wanted(self) -> int:
        """Rows of a tile that the first floors are drawn from, at least."""
        return max(self._wanted) + self._own

    @property
    def is_full(self) -> bool:
        """Whether floors had better be raised now."""
        return self._num > _WAITING * len(self.crowded)

    def drop(self, crowded: torch.Tensor) -> None:
        """Give some of the queries up, (q,) bool: they are searched apart."""
        self.crowded |= crowded

    def has_started(self, label: int) -> bool:
        """Whether first floors were drawn from rows of this class."""
        return label in self._started

    def reach(self, label: int) -> torch.Tensor:
        """(q,) float32: what a row of this class has to reach; infinity for the crowded."""
        return self.floors.of(label).masked_fill(self.crowded, math.inf)

    def start(self, label: int, low: torch.Tensor) -> None:
        """Draw first floors from the similarities that some rows of a class have at least.

        Args:
            label: the class.
            low: (m, q), of m different rows for each query.
        """
        self._started.add(label)
        for floor, wanted in (
            (self.floors.joint, self._wanted.joint + self._own),
            (self.floors.nearest[label], self._wanted.per_class + self._own),
        ):
            if self._own < wanted <= len(low):
                known = low.amax(dim=0) if wanted == 1 else low.topk(wanted, dim=0).values[-1]
                torch.maximum(floor, known, out=floor)

    def add(self, found: Candidates) -> None:
        """Take candidates in."""
        if self._leave_out is not None:
            found = found.take(found.row != self._leave_out.index_select(0, found.query))
        self._parts.append(found)
        self._num += len(found)

    def take_over(self, other: Pool) -> None:
        """Take in all that a pool of the same queries holds, and what it knows."""
        self.floors.raise_to(other.floors)
        self.crowded |= other.crowded
        self._parts += other._parts
        self._num += other._num

    def raise_floors(self) -> Candidates:
        """Draw floors from the candidates, drop those below, and return the others.

        Queries with too many are crowded from now on.
        """
        found = joined(self._parts, self.crowded.device)
        num_queries, (k, per_class) = len(self.crowded), self._wanted
        for label, floor in self.floors.nearest.items():
            if per_class == 1:
                low = found.low.masked_fill(found.label != label, -math.inf)
                floor.scatter_reduce_(0, found.query, low, "amax")
            else:
                some = found.take(found.label == label)
                known = _kth_largest(some.query, some.low, per_class, num_queries)
                torch.maximum(floor, known, out=floor)
        if k:
            known = _kth_largest(found.query, found.low, k, num_queries)
            torch.maximum(self.floors.joint, known, out=self.floors.joint)
        floors = torch.stack([self.floors.of(label) for label in (REAL, FAKE)]).view(-1)
        place = found.label.long().mul_(len(self.crowded)).add_(found.query)
        found = found.take(found.high >= floors.index_select(0, place))
        self.crowded |= torch.bincount(found.query, minlength=len(self.crowded)) > MOST
        if self.crowded.any():
            found = found.take(~self.crowded[found.query])
        self._parts, self._num = [found], len(found)
        return found


def _kth_largest(
    query: torch.Tensor, value: torch.Tensor, k: int, num_queries: int
) -> torch.Tensor:
    """(num_queries,): the k-th largest value of each query, or less; -infinity of fewer than k."""
    small = query.to(torch.int16) if num_queries <= 2**15 else query
    order = small.argsort(stable=True)
    ordered = query[order]
    numbers = torch.arange(num_queries, device=query.device)
    place = torch.arange(len(order), device=query.device)
    place -= torch.searchsorted(ordered, numbers)[ordered]
    seen = place < 2 * MOST  # what one query has beyond that would widen the table of all
    order, ordered, place = order[seen], ordered[seen], place[seen]
    width = int(place.max()) + 1 if len(place) else 0
    table = torch.full((num_queries, max(width, k)), -math.inf, device=query.device)
    table[ordered, place] = value[order]
    return table.topk(k, dim=1).values[:, -1]
