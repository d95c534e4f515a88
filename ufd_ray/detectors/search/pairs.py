"""Pairs of a query and a row of the bank, in flat lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Pairs:
    """A flat list of pairs.

    Attributes:
        query: (m,) int64, number of the query.
        row: (m,) int64, number of the row in the bank.
        similarity: (m,) float64, cosine.
    """

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    similarity: NDArray[np.float64]

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
        """Some of them."""
        return Pairs(self.query[which], self.row[which], self.similarity[which])

    def of(self, numbers: NDArray[np.int64]) -> Pairs:
        """The same, where the queries go by other numbers, (q,)."""
        return Pairs(numbers[self.query], self.row, self.similarity)

    def best(self, k: int, rank: NDArray[np.int64]) -> Pairs:
        """The first k pairs of every query, by similarity falling, then by the row's rank.

        They come out by query, then in that order.
        """
        order = np.lexsort((rank[self.row], -self.similarity, self.query))
        query = self.query[order]
        place = np.arange(len(order)) - np.searchsorted(query, query)
        return self.take(order[place < k])


def concatenate(parts: Sequence[Pairs]) -> Pairs:
    """One list of the pairs of several; empty of none."""
    return Pairs(
        np.concatenate([np.empty(0, np.int64), *(part.query for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.row for part in parts)]),
        np.concatenate([np.empty(0), *(part.similarity for part in parts)]),
    )
