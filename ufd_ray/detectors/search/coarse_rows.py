"""The bank as a scan reads it: tiles of rows, all of one class, in one precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.held import Held
from ufd_ray.detectors.search.rounding import UNIT_ROUNDOFF, float32_sum
from ufd_ray.detectors.search.unit_rows import StoredRows
from ufd_ray.schema import FAKE, REAL

BLOCK = {"cpu": 1024, "cuda": 8192}
"""Queries in one matrix product, at most."""
TILE_BYTES = 16384
"""Of a query's products with the rows of a tile: a processor's cache holds what 1,024 have."""
TILE_PRODUCTS = {"cpu": 2**23, "cuda": 2**30}
"""Bytes of products that a tile may have with all queries: with few queries it has more rows."""
INTEGERS = {2: torch.int16, 4: torch.int32}
"""As which the bits of so many bytes are seen."""
GROUP = 32
"""Rows of which a scan looks at the largest product first. Tiles are multiples of it."""
STEP = 32 * GROUP
"""Rows of a class between places where a tile may start."""


class Share(NamedTuple):
    """Which of the tiles a thread reads: one in `of`, from `number` on."""

    number: int
    of: int


WHOLE = Share(0, 1)
"""All of them."""


@dataclass(frozen=True, eq=False)
class CoarseQueries:
    """Queries as a scan multiplies them, with what bounds the error of that.

    Attributes:
        vectors: (q, d), in the precision of the products.
        offset: (q,) float32.
        length: (q,) float32, of the vectors before they were rounded.
        residual: (q,) float32, length of what rounding took away.
    """

    vectors: torch.Tensor
    offset: torch.Tensor
    length: torch.Tensor
    residual: torch.Tensor

    def __getitem__(self, part: slice) -> CoarseQueries:
        return CoarseQueries(
            self.vectors[part], self.offset[part], self.length[part], self.residual[part]
        )


@dataclass(frozen=True, eq=False)
class Tile:
    """Some rows of one class.

    Attributes:
        label: the class.
        vectors: (t, d); t is a multiple of `GROUP`, and the last row is repeated up to that.
        rows: (m,) int64, numbers of the m ≤ t rows in the bank.
        offset: (t,) float32, falling.
        length: the largest of their lengths.
        residual: the largest length of what rounding took away.
    """

    label: int
    vectors: torch.Tensor
    rows: torch.Tensor
    offset: torch.Tensor
    length: float
    residual: float

    def slack(self, queries: CoarseQueries) -> torch.Tensor:
        """(q,) float32: how far product plus offsets may lie from the similarity.

        Without the rounding of the product itself to the tile's precision, which is relative.
        """
        # Tensor cores align and cut off what they sum (Fasi et al., PeerJ CS 7:e330, 2021).
        cut_off = 4 if self.vectors.device.type == "cuda" and self.roundoff else 1
        terms = cut_off * float32_sum(self.vectors.shape[1])
        longest = self.length + self.residual
        # Of rounded factors, then of the sum: Σ|x_i y_i| and both offsets, which are at most one.
        rounded = torch.add(queries.residual * longest, queries.length, alpha=self.residual)
        summed = torch.add(queries.length, queries.residual).mul_(terms * longest).add_(terms)
        return rounded.add_(summed).mul_(1 + 2.0**-20)

    @property
    def roundoff(self) -> float:
        """Largest relative error by which a product is rounded; float32 products count as exact."""
        return 0.0 if self.vectors.dtype == torch.float32 else UNIT_ROUNDOFF[self.vectors.dtype]


class CoarseRows(Protocol):
    """What a scan asks of a bank. All tensors are on the device of the products."""

    def prepare(self, units: torch.Tensor) -> CoarseQueries:
        """Queries, (q, d) float64 unit vectors, for the products."""

    def tiles(self, num_queries: int, share: Share = WHOLE) -> Iterator[Tile]:
        """All rows, once each, in tiles that so many queries are multiplied with at a time.

        The classes take turns, in proportion to their size. Of several shares, together all rows,
        each has as many of every class, but for a few.
        """


class SingleRows:
    """The bank in float32, of which nothing is stored: tiles are made of its own rows.

    Args:
        bank: n vectors.
        labels: (n,) their classes.
        device: where the products run.
    """

    def __init__(self, bank: StoredRows, labels: NDArray[np.integer], device: torch.device) -> None:
        self._bank = bank
        rows = {label: np.flatnonzero(labels == label) for label in (REAL, FAKE)}
        self._counts = {label: len(numbers) for label, numbers in rows.items()}
        self._rows = {label: Held(padded(numbers)) for label, numbers in rows.items()}
        self._device = device

    def prepare(self, units: torch.Tensor) -> CoarseQueries:
        """See `CoarseRows`."""
        ones = torch.ones(len(units), device=self._device)
        nothing = torch.zeros_like(ones)
        # Their rounding is in `float32_sum`.
        return CoarseQueries(units.float(), nothing, ones, nothing)

    def tiles(self, num_queries: int, share: Share = WHOLE) -> Iterator[Tile]:
        """See `CoarseRows`."""
        stored = self._bank.on(self._device)
        # As few rows as may be, however few queries: they are copied, not looked at where they lie.
        tile_rows = least_tile(torch.float32, self._device)
        for label, start, stop in in_turns(self._counts, tile_rows, share):
            numbers = self._rows[label].on(self._device)[start : with_padding(start, stop)]
            unit = stored[numbers].single()
            offset = torch.zeros(len(numbers), device=self._device)
            yield Tile(label, unit, numbers[: stop - start], offset, 1.0, 0.0)


def rows_a_tile(dtype: torch.dtype, device: torch.device, num_queries: int) -> int:
    """Rows of the bank in one matrix product: what the least tile has, or a multiple of it."""
    least = least_tile(dtype, device)
    bytes_each = least * max(1, num_queries) * dtype.itemsize
    return least * max(1, TILE_PRODUCTS[device.type] // bytes_each)


def least_tile(dtype: torch.dtype, device: torch.device) -> int:
    """Rows that a tile has at least, a multiple of `GROUP`; a GPU wants more of them."""
    return TILE_BYTES // dtype.itemsize * (8 if device.type == "cuda" else 1)


def in_turns(
    num_rows: dict[int, int], tile_rows: int, share: Share = WHOLE
) -> Iterator[tuple[int, int, int]]:
    """Class, start and stop of every tile, so that all classes come to their ends together.

    Args:
        num_rows: of each class.
        tile_rows: of a tile, at most; a multiple of `STEP`.
        share: which of the tiles.
    """
    tiles = []
    for label, num in num_rows.items():
        num_steps = -(-num // STEP)
        num_tiles = max(1, -(-num_steps // max(1, tile_rows // STEP)))
        num_tiles += -num_tiles % share.of  # as many for everybody
        edges = [num_steps * place // num_tiles * STEP for place in range(num_tiles + 1)]
        for place in range(share.number, num_tiles, share.of):
            start, stop = edges[place], min(edges[place + 1], num)
            if start < stop:
                tiles.append((stop / num, label, start, stop))
    for _, label, start, stop in sorted(tiles):
        yield label, start, stop


def with_padding(start: int, stop: int) -> int:
    """Where a tile of these rows stops in a `padded` column."""
    return stop + -(stop - start) % GROUP


def padded(column: NDArray[Any]) -> NDArray[Any]:
    """The column with its last value repeated up to a multiple of `GROUP`."""
    missing = -len(column) % GROUP
    return np.concatenate([column, np.repeat(column[-1:], missing)]) if missing else column
