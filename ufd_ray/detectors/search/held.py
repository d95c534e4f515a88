"""Arrays that are kept in NumPy and used by torch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Held:
    """An array of which tensors are wanted.

    It is pickled as an array, which Ray maps from shared memory, and copied to a GPU once a
    process.

    Args:
        array: any array; it may be read-only, since nobody writes to the tensors.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self._copies: dict[str, torch.Tensor] = {}

    def on(self, device: torch.device) -> torch.Tensor:
        """The tensor there; on a CPU it lies over the array's memory."""
        if device.type == "cpu":
            return shared(self.array)
        copy = self._copies.get(str(device))
        if copy is None:
            copy = self._copies[str(device)] = shared(self.array).to(device)
        return copy

    def __len__(self) -> int:
        return len(self.array)

    def __getstate__(self) -> dict[str, Any]:
        return {"array": self.array, "_copies": {}}


def shared(array: NDArray[Any]) -> torch.Tensor:
    """A tensor over an array's memory, which may be read-only; nobody writes to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(np.ascontiguousarray(array))
