"""Embeddings seen as unit vectors, which are computed where they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.held import Held, shared
from ufd_ray.detectors.search.row_sums import sum_rows

_CHUNK = {"cpu": 2048, "cuda": 65536}
"""Rows whose float64 copies are in memory at a time."""
_SAFE_NORMS = (1e-30, 1e30)
"""Between these, a row's scale is a normal number of float32."""


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Vectors seen as unit vectors: the vectors are not copied.

    Attributes:
        vectors: (n, d) float32 or float16, finite and nowhere zero where they are asked for.
        norms: (n,) float64; zero for a zero vector, not finite for a row that is not finite.
    """

    vectors: torch.Tensor
    norms: torch.Tensor

    @classmethod
    def of(cls, vectors: torch.Tensor) -> UnitRows:
        """See vectors, (n, d) float32 or float16, as unit vectors."""
        squares = torch.empty(len(vectors), dtype=torch.float64, device=vectors.device)
        for part in chunks(len(vectors), vectors.device):
            chunk = vectors[part].double()
            squares[part] = sum_rows(chunk.mul_(chunk))
        # NumPy's root is rounded as IEEE 754 wants it, and the same everywhere; torch's is not.
        norms = torch.from_numpy(np.sqrt(squares.cpu().numpy())).to(vectors.device)
        return cls(vectors, norms)

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: slice | torch.Tensor) -> UnitRows:
        return UnitRows(self.vectors[rows], self.norms[rows])

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def double(self) -> torch.Tensor:
        """The unit vectors, (n, d) float64: what similarity is defined by."""
        return torch.div(self.vectors, self.norms[:, None])

    def single(self) -> torch.Tensor:
        """The same in float32, (n, d), with three roundings at most."""
        low, high = _SAFE_NORMS
        if len(self) and bool(((self.norms < low) | (self.norms > high)).any()):
            return self.double().float()
        return self.vectors * (1.0 / self.norms).float()[:, None]


class StoredRows:
    """Unit vectors that are kept, and used on any device.

    Args:
        vectors: (n, d) float32 or float16.
    """

    def __init__(self, vectors: NDArray[np.float32] | NDArray[np.float16]) -> None:
        # Sums run along contiguous rows only: then a row's sum does not depend on its neighbours.
        self._vectors = Held(np.ascontiguousarray(vectors))
        self._norms = Held(UnitRows.of(shared(self._vectors.array)).norms.numpy())

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return int(self._vectors.array.shape[1])

    @property
    def norms(self) -> NDArray[np.float64]:
        """(n,) float64, as those of `UnitRows`."""
        norms: NDArray[np.float64] = self._norms.array
        return norms

    def on(self, device: torch.device) -> UnitRows:
        """Those on a device."""
        return UnitRows(self._vectors.on(device), self._norms.on(device))


def chunks(num_rows: int, device: torch.device) -> list[slice]:
    """Parts of so many rows that are in memory in float64 one after the other."""
    size = _CHUNK[device.type]
    return [slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]
