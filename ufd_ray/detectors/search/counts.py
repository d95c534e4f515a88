"""How the queries of a search were settled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchCounts:
    """Numbers of queries; those of several searches add up.

    Attributes:
        num_queries: all of them.
        num_certified: whose candidates one pass over the bank held, by the bounds on its rounding.
        num_recomputed: that were searched a second time, since too many rows lay within them.
        num_settled: whose order or last neighbour float64 decided, float32 being too coarse.
    """

    num_queries: int = 0
    num_certified: int = 0
    num_recomputed: int = 0
    num_settled: int = 0

    def __add__(self, other: SearchCounts) -> SearchCounts:
        return SearchCounts(*(a + b for a, b in zip(self.all, other.all, strict=True)))

    @property
    def all(self) -> tuple[int, int, int, int]:
        """The four."""
        return (self.num_queries, self.num_certified, self.num_recomputed, self.num_settled)
