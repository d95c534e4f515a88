"""Embeddings seen as unit vectors, which are computed where they are asked for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_CHUNK = 2048
"""Rows whose float64 copies are in memory at a time."""
_SAFE_NORMS = (1e-30, 1e30)
"""Between these, a row's scale is a normal number of float32."""


class UnitRows:
    """Vectors seen as unit vectors: the vectors are not copied.

    Args:
        vectors: (n, d) float32 or float16, finite and nowhere zero where they are asked for.

    Attributes:
        vectors: (n, d), C-contiguous.
        norms: (n,) float64; zero for a zero vector, not finite for a row that is not finite.
    """

    def __init__(self, vectors: NDArray[np.float32] | NDArray[np.float16]) -> None:
        # Sums run along contiguous rows only: then a row's sum does not depend on its neighbours.
        self.vectors = np.ascontiguousarray(vectors)
        self.norms: NDArray[np.float64] = np.empty(len(vectors))
        for start in range(0, len(vectors), _CHUNK):
            chunk = self.vectors[start : start + _CHUNK].astype(np.float64)
            self.norms[start : start + _CHUNK] = np.sqrt((chunk * chunk).sum(axis=1))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def double(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        """Rows as unit vectors (m, d) float64: what similarity is defined by."""
        return self.vectors[rows].astype(np.float64) / self.norms[rows, None]


def to_unit_length(
    vectors: torch.Tensor, norms: NDArray[np.float64], out: torch.Tensor
) -> torch.Tensor:
    """Write vectors into `out` as unit vectors in float32, with three roundings at most."""
    low, high = _SAFE_NORMS
    if len(norms) and (norms.min() < low or norms.max() > high):
        return out.copy_(vectors.double().div_(torch.from_numpy(norms)[:, None]))
    scale = torch.from_numpy((1.0 / norms).astype(np.float32))
    return torch.mul(vectors, scale[:, None], out=out)


def shared(array: NDArray[Any]) -> torch.Tensor:
    """A tensor over an array's memory, which may be read-only; nobody writes to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
