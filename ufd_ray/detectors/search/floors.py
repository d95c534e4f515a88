"""Similarities below which a row is wanted by nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.schema import FAKE, REAL


@dataclass(frozen=True, eq=False)
class Floors:
    """Similarities that enough rows are known to have, of each of q queries.

    The k nearest of the joint bank have at least `joint`, the nearest of a class at least that
    class's. Both only rise.

    Attributes:
        joint: (q,) float32; infinity where no neighbours of the joint bank are wanted.
        nearest: (q,) float32 for each class.
    """

    joint: NDArray[np.float32]
    nearest: dict[int, NDArray[np.float32]]

    @classmethod
    def unknown(cls, num_queries: int, k: int) -> Floors:
        """Nothing is known of any row; `k` neighbours are wanted."""
        joint = np.full(num_queries, -np.inf if k else np.inf, np.float32)
        return cls(joint, {x: np.full(num_queries, -np.inf, np.float32) for x in (REAL, FAKE)})

    def of(self, label: int) -> NDArray[np.float32]:
        """(q,): a row of this class below it is wanted by nobody."""
        return np.minimum(self.joint, self.nearest[label])

    def __getitem__(self, queries: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Floors:
        nearest = {label: floor[queries].copy() for label, floor in self.nearest.items()}
        return Floors(self.joint[queries].copy(), nearest)

    @classmethod
    def joined(cls, parts: Sequence[Floors]) -> Floors:
        """Those of several blocks of queries, one after the other."""
        return cls(
            np.concatenate([part.joint for part in parts]),
            {x: np.concatenate([part.nearest[x] for part in parts]) for x in (REAL, FAKE)},
        )
