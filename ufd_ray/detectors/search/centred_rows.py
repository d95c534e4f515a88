"""A bank copied into the order and precision in which a scan is fastest.

A row is stored less the bank's mean: an encoder's embeddings share a direction, and what is left of
them is shorter, and so is every rounding error. Similarity is then

    ⟨x, b⟩ = ⟨x − μ, b − μ⟩ + ⟨b, μ⟩ + (⟨x, μ⟩ − ⟨μ, μ⟩)

whose last terms, the offsets of row and query, are added in float32. Rows stand by falling offset,
so that those of a tile are of nearly the same length and offset, and the bounds over it are tight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.coarse_rows import (
    INTEGERS,
    STEP,
    WHOLE,
    CoarseQueries,
    Share,
    Tile,
    in_turns,
    padded,
    rows_a_tile,
    with_padding,
)
from ufd_ray.detectors.search.held import Held
from ufd_ray.detectors.search.unit_rows import StoredRows, UnitRows, chunks
from ufd_ray.schema import FAKE, REAL

_CPU = torch.device("cpu")


class CentredRows:
    """The bank less its mean, as a scan reads it (`CoarseRows`).

    Args:
        bank: n vectors.
        labels: (n,) their classes.
        dtype: precision of the products: `torch.bfloat16`, `torch.float16` or `torch.float32`.
        device: where they run. None needs to be there when this is made.
    """

    def __init__(
        self,
        bank: StoredRows,
        labels: NDArray[np.integer],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._dtype = dtype
        self._device = device
        rows = bank.on(_CPU)
        mean = _mean(rows)
        offset = torch.empty(len(rows), dtype=torch.float64)
        for part in chunks(len(rows), _CPU):
            offset[part] = rows[part].double() @ mean
        falling = np.lexsort((-offset.numpy(), labels))
        order = {label: falling[labels[falling] == label] for label in (REAL, FAKE)}
        self._counts = {label: len(numbers) for label, numbers in order.items()}
        self._mean = Held(mean.numpy())
        self._rows = {label: Held(padded(numbers)) for label, numbers in order.items()}
        self._offset = {
            label: Held(padded(offset.float().numpy()[numbers])) for label, numbers in order.items()
        }
        # Bits, as integers of NumPy, which has no bfloat16.
        self._bits = {
            label: Held(np.empty((len(numbers), bank.dim), f"i{dtype.itemsize}"))
            for label, numbers in self._rows.items()
        }
        self._bounds = {
            (label, start): self._fill(rows, mean, label, start, stop)
            for label, start, stop in in_turns(self._counts, STEP)
        }

    def _fill(
        self, bank: UnitRows, mean: torch.Tensor, label: int, start: int, stop: int
    ) -> tuple[float, float]:
        """Store some rows; their largest length, and the largest of what rounding took."""
        place = slice(start, with_padding(start, stop))
        numbers, bits = self._rows[label].on(_CPU)[place], self._bits[label].on(_CPU)[place]
        length = residual = 0.0
        for chunk in chunks(len(numbers), _CPU):
            exact = bank[numbers[chunk]].double() - mean
            rounded = exact.to(self._dtype)
            bits[chunk] = rounded.view(INTEGERS[self._dtype.itemsize])
            length = max(length, float(exact.norm(dim=1).max()))
            residual = max(residual, float((exact - rounded.double()).norm(dim=1).max()))
        return length, residual

    def prepare(self, units: torch.Tensor) -> CoarseQueries:
        """See `CoarseRows`."""
        mean = self._mean.on(self._device)
        exact = units - mean
        rounded = exact.to(self._dtype)
        return CoarseQueries(
            rounded,
            (units @ mean - mean @ mean).float(),
            exact.norm(dim=1).float(),
            (exact - rounded.double()).norm(dim=1).float(),
        )

    def tiles(self, num_queries: int, share: Share = WHOLE) -> Iterator[Tile]:
        """See `CoarseRows`."""
        rows, offset, bits = (
            {label: held.on(self._device) for label, held in column.items()}
            for column in (self._rows, self._offset, self._bits)
        )
        tile_rows = rows_a_tile(self._dtype, self._device, num_queries)
        for label, start, stop in in_turns(self._counts, tile_rows, share):
            place = slice(start, with_padding(start, stop))
            steps = range(start, stop, STEP)
            lengths, residuals = zip(*(self._bounds[label, step] for step in steps), strict=True)
            yield Tile(
                label,
                bits[label][place].view(self._dtype),
                rows[label][start:stop],
                offset[label][place],
                max(lengths),
                max(residuals),
            )


def _mean(bank: UnitRows) -> torch.Tensor:
    total = torch.zeros(bank.dim, dtype=torch.float64)
    for part in chunks(len(bank), bank.vectors.device):
        total += bank[part].double().sum(dim=0)
    return total / max(1, len(bank))
