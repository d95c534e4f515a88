"""Rows that may be among the nearest of some queries, with what is known of their similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows that may be among the nearest of some queries, in a flat list on any device.

    Attributes:
        query: (m,) int64.
        row: (m,) int64, rows of the bank.
        label: (m,) int8, their classes.
        low: (m,) float32: the similarity is at least this,
        high: (m,) float32: and at most this.
    """

    query: torch.Tensor
    row: torch.Tensor
    label: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def take(self, which: torch.Tensor) -> Candidates:
        """Some of them, bool (m,)."""
        places = which.nonzero().view(-1)
        return Candidates(*(column.index_select(0, places) for column in vars(self).values()))

    def of(self, numbers: torch.Tensor) -> Candidates:
        """The same, where the queries go by other numbers, (q,)."""
        return replace(self, query=numbers.index_select(0, self.query))

    def __len__(self) -> int:
        return len(self.query)


def joined(parts: Sequence[Candidates], device: torch.device) -> Candidates:
    """One list of several; empty of none."""
    whole = torch.empty(0, dtype=torch.int64, device=device)
    single = torch.empty(0, device=device)
    nothing = Candidates(whole, whole, whole.to(torch.int8), single, single)
    columns = zip(*(vars(part).values() for part in (nothing, *parts)), strict=True)
    return Candidates(*map(torch.cat, columns))
