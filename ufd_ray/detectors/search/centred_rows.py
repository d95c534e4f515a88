"""A bank copied into the order and precision in which a scan is fastest.

A row is stored less the bank's mean: an encoder's embeddings share a direction, and what is left of
them is shorter, and so is every rounding error. Similarity is then

    ⟨x, b⟩ = ⟨x − μ, b − μ⟩ + ⟨b, μ⟩ + (⟨x, μ⟩ − ⟨μ, μ⟩)

whose last terms, the offsets of row and query, are added in float32. Rows stand by falling offset,
so that those of a tile are of nearly the same length and offset, and the bounds over it are tight.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.coarse_rows import (
    GROUP,
    INTEGERS,
    CoarseQueries,
    Tile,
    in_turns,
    padded,
    rows_a_tile,
)
from ufd_ray.detectors.search.unit_rows import UnitRows, shared
from ufd_ray.schema import FAKE, REAL


class CentredRows:
    """The bank less its mean, as a scan reads it (`CoarseRows`).

    Args:
        bank: n vectors.
        labels: (n,) their classes.
        dtype: precision of the products: `torch.bfloat16`, `torch.float16` or `torch.float32`.
        device: where they run. A GPU keeps its copy; a processor reads this one.
    """

    def __init__(
        self,
        bank: UnitRows,
        labels: NDArray[np.integer],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._dtype = dtype
        self._device = device
        self._tile_rows = rows_a_tile(dtype, device)
        self._mean = _mean(bank)
        offset = np.empty(len(bank))
        for part in _chunks(len(bank)):
            offset[part] = (bank.double(part) * self._mean).sum(axis=1)
        order = np.lexsort((-offset, labels))
        self._rows = {label: order[labels[order] == label] for label in (REAL, FAKE)}
        self._offset = {
            x: padded(offset[rows].astype(np.float32)) for x, rows in self._rows.items()
        }
        # Bits, as integers of NumPy: a process can map them from shared memory.
        self._bits: dict[int, NDArray[Any]] = {
            label: np.empty((len(padded(rows)), bank.dim), f"i{dtype.itemsize}")
            for label, rows in self._rows.items()
        }
        self._bounds = {part: self._fill(bank, *part) for part in self._turns()}
        self._on_device: dict[int, torch.Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_on_device": {}}

    def _turns(self) -> list[tuple[int, int, int]]:
        counts = {label: len(rows) for label, rows in self._rows.items()}
        return list(in_turns(counts, self._tile_rows))

    def _fill(self, bank: UnitRows, label: int, start: int, stop: int) -> tuple[float, float]:
        """Store a tile; the largest length of its rows, and of what rounding took from them."""
        rows = padded(self._rows[label][start:stop])
        length = residual = 0.0
        for chunk in _chunks(len(rows)):
            exact = torch.from_numpy(bank.double(rows[chunk]) - self._mean)
            rounded = exact.to(self._dtype)
            place = slice(start + chunk.start, start + chunk.stop)
            self._bits[label][place] = rounded.view(INTEGERS[self._dtype.itemsize]).numpy()
            length = max(length, float(exact.norm(dim=1).max()))
            residual = max(residual, float((exact - rounded.double()).norm(dim=1).max()))
        return length, residual

    def prepare(self, units: NDArray[np.float64]) -> CoarseQueries:
        """See `CoarseRows`."""
        exact = torch.from_numpy(units - self._mean)
        rounded = exact.to(self._dtype)
        offset = torch.from_numpy(units @ self._mean - self._mean @ self._mean)
        return CoarseQueries(
            rounded.to(self._device),
            offset.float().to(self._device),
            exact.norm(dim=1).float().to(self._device),
            (exact - rounded.double()).norm(dim=1).float().to(self._device),
        )

    def tiles(self) -> Iterator[Tile]:
        """See `CoarseRows`."""
        for turn in self._turns():
            label, start, stop = turn
            rows, end = self._rows[label][start:stop], stop + -(stop - start) % GROUP
            yield Tile(
                label,
                self._stored(label)[start:end],
                rows,
                shared(self._offset[label])[start:end].to(self._device),
                *self._bounds[turn],
            )

    def _stored(self, label: int) -> torch.Tensor:
        if self._device.type == "cpu":
            return shared(self._bits[label]).view(self._dtype)
        if label not in self._on_device:
            stored = shared(self._bits[label]).view(self._dtype)
            self._on_device[label] = stored.to(self._device)
        return self._on_device[label]


def _mean(bank: UnitRows) -> NDArray[np.float64]:
    total = np.zeros(bank.dim)
    for part in _chunks(len(bank)):
        total += bank.double(part).sum(axis=0)
    return total / max(1, len(bank))


def _chunks(num_rows: int) -> Iterator[slice]:
    for start in range(0, num_rows, 1024):
        yield slice(start, min(start + 1024, num_rows))
