"""Rows that may be among the nearest of some queries, with what is known of their similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows that may be among the nearest of some queries.

    Attributes:
        query: (m,) int64.
        row: (m,) int64, rows of the bank.
        label: (m,) int8, their classes.
        low: (m,) float32: the similarity is at least this,
        high: (m,) float32: and at most this.
    """

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    label: NDArray[np.int8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def take(self, which: NDArray[np.bool_]) -> Candidates:
        """Some of them."""
        return Candidates(*(column[which] for column in vars(self).values()))

    def of(self, numbers: NDArray[np.int64]) -> Candidates:
        """The same, where the queries go by other numbers, (q,)."""
        return replace(self, query=numbers[self.query])

    def __len__(self) -> int:
        return len(self.query)


def joined(parts: Sequence[Candidates]) -> Candidates:
    """One list of several; empty of none."""
    nothing = Candidates(
        np.empty(0, np.int64),
        np.empty(0, np.int64),
        np.empty(0, np.int8),
        np.empty(0, np.float32),
        np.empty(0, np.float32),
    )
    columns = zip(*(vars(part).values() for part in (nothing, *parts)), strict=True)
    return Candidates(*map(np.concatenate, columns))
