"""Similarities below which a row is wanted by nobody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ufd_ray.schema import FAKE, REAL


class Wanted(NamedTuple):
    """How many rows are wanted for each query.

    Attributes:
        joint: the nearest of the joint bank; 0: none.
        per_class: the nearest of each class, at least one.
    """

    joint: int
    per_class: int


@dataclass(frozen=True, eq=False)
class Floors:
    """Similarities that enough rows are known to have, of each of q queries.

    The k nearest of the joint bank have at least `joint`, the wanted nearest of a class at least
    that class's. Both only rise.

    Attributes:
        joint: (q,) float32; infinity where no neighbours of the joint bank are wanted.
        nearest: (q,) float32 for each class.
    """

    joint: torch.Tensor
    nearest: dict[int, torch.Tensor]

    @classmethod
    def unknown(cls, num_queries: int, wanted: Wanted, device: torch.device) -> Floors:
        """Nothing is known of any row."""
        joint = torch.full((num_queries,), -math.inf if wanted.joint else math.inf, device=device)
        unknown = torch.full((num_queries,), -math.inf, device=device)
        return cls(joint, {label: unknown.clone() for label in (REAL, FAKE)})

    def of(self, label: int) -> torch.Tensor:
        """(q,): a row of this class below it is wanted by nobody."""
        return torch.minimum(self.joint, self.nearest[label])

    def raise_to(self, others: Floors) -> None:
        """Know what others know of the same queries, too."""
        torch.maximum(self.joint, others.joint, out=self.joint)
        for label, floor in self.nearest.items():
            torch.maximum(floor, others.nearest[label], out=floor)

    def __getitem__(self, queries: slice | torch.Tensor) -> Floors:
        nearest = {label: floor[queries].clone() for label, floor in self.nearest.items()}
        return Floors(self.joint[queries].clone(), nearest)

    @classmethod
    def joined(cls, parts: Sequence[Floors]) -> Floors:
        """Those of several blocks of queries, one after the other."""
        return cls(
            torch.cat([part.joint for part in parts]),
            {label: torch.cat([part.nearest[label] for part in parts]) for label in (REAL, FAKE)},
        )
