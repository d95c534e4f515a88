"""Pairs of a query and a row of the bank, in flat lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Pairs:
    """A flat list of pairs, on any device.

    Attributes:
        query: (m,) int64, number of the query.
        row: (m,) int64, number of the row in the bank.
        similarity: (m,) float64, cosine.
    """

    query: torch.Tensor
    row: torch.Tensor
    similarity: torch.Tensor

    def take(self, which: torch.Tensor) -> Pairs:
        """Some of them: bool (m,), or their numbers."""
        places = which.nonzero().view(-1) if which.dtype == torch.bool else which
        return Pairs(*(column.index_select(0, places) for column in vars(self).values()))

    def of(self, numbers: torch.Tensor) -> Pairs:
        """The same, where the queries go by other numbers, (q,)."""
        return Pairs(numbers[self.query], self.row, self.similarity)

    def best(self, k: int, rank: torch.Tensor) -> Pairs:
        """The first k pairs of every query, by similarity falling, then by the row's rank.

        They come out by query, then in that order.
        """
        order = rank.index_select(0, self.row).argsort()
        for key, falls in ((self.similarity, True), (self.query, False)):
            order = order[key.index_select(0, order).argsort(stable=True, descending=falls)]
        return self.take(order).first(k)

    def first(self, k: int) -> Pairs:
        """The first k pairs of every query. Those of one query stand together, queries rising."""
        place = torch.arange(len(self.query), device=self.query.device)
        return self.take(place - torch.searchsorted(self.query, self.query) < k)

    def closest(self, num_queries: int, num: int) -> torch.Tensor:
        """(num_queries, num) float64: the largest similarities of each query, falling.

        Where a query has fewer, -infinity follows.
        """
        largest = self.similarity.new_full((num_queries, num), -math.inf)
        if num == 1:
            largest.view(-1).scatter_reduce_(0, self.query, self.similarity, "amax")
            return largest
        falling = self.similarity.argsort(descending=True)
        order = falling[self.query.index_select(0, falling).argsort(stable=True)]
        first = self.take(order).first(num)
        place = torch.arange(len(first.query), device=first.query.device)
        place -= torch.searchsorted(first.query, first.query)
        largest[first.query, place] = first.similarity
        return largest


def concatenate(parts: Sequence[Pairs], device: torch.device) -> Pairs:
    """One list of the pairs of several; empty of none."""
    whole = torch.empty(0, dtype=torch.int64, device=device)
    double = torch.empty(0, dtype=torch.float64, device=device)
    return Pairs(
        torch.cat([whole, *(part.query for part in parts)]),
        torch.cat([whole, *(part.row for part in parts)]),
        torch.cat([double, *(part.similarity for part in parts)]),
    )
