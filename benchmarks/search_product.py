"""Bare matrix products: what no search that multiplies every query with every row can beat."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from search_data import Bank, Floats

TILE_ROWS = {"cpu": (1024, 2048, 4096, 8192), "cuda": (65536, 32768, 16384, 8192)}
"""On the largest of them tiles are compared."""
TRIES = 3
TUNING_S = 5.0
"""Seconds after which no further tiles are tried, for each bank and number of queries."""
WHOLE_BYTES = 3 * 2**29
WHOLE_S = 5.0
"""One call for everything is tried where its result is no larger, and tiles take no longer."""


@dataclass(frozen=True)
class Layout:
    """How a product is laid out.

    Attributes:
        bank_first: bank·queriesᵀ, else queries·bankᵀ.
        copied: the second operand was copied to lie as it is multiplied; else it is a transposed
            view of rows.
        rows: of the bank in one call.
        queries: in one call.
    """

    bank_first: bool
    copied: bool
    rows: int
    queries: int

    def __str__(self) -> str:
        operands = "bank·queriesᵀ" if self.bank_first else "queries·bankᵀ"
        copied = ", transposed copy" if self.copied else ""
        return f"{operands}{copied}, {self.rows:,} × {self.queries:,} a call"

    def cut(self, bank: torch.Tensor) -> list[torch.Tensor]:
        """The bank's operands, one a call."""
        tiles = list(bank.split(self.rows))
        if self.bank_first:
            return tiles
        return [tile.t().contiguous() if self.copied else tile.t() for tile in tiles]

    def multiply(self, tiles: list[torch.Tensor], queries: torch.Tensor, out: torch.Tensor) -> None:
        """Compute every product, each over the last one's place."""
        for some in queries.split(self.queries):
            other = some
            if self.bank_first:
                other = some.t().contiguous() if self.copied else some.t()
            for tile in tiles:
                left, right = (tile, other) if self.bank_first else (other, tile)
                shape = (left.shape[0], right.shape[1])
                torch.mm(left, right, out=out[: shape[0] * shape[1]].view(shape))
        if queries.is_cuda:
            torch.cuda.synchronize(queries.device)


class Product:
    """All similarities by `torch.mm` in one number format, and nothing made of them.

    Either tiles, whose results go into one buffer over and over, or one call: whichever is faster.

    Args:
        bank: the bank.
        dtype: the number format; what is not in it already is cast beforehand.
        device: as torch names it.
    """

    def __init__(self, bank: Bank, dtype: torch.dtype, device: str = "cpu") -> None:
        self._bank = torch.from_numpy(bank.vectors).to(device, dtype)
        self._layout: Layout | None = None
        self._tiles: list[torch.Tensor] = []
        self._out = self._bank.new_empty(0)
        self.notes: dict[str, Any] = {}

    def prepare(self, queries: Floats) -> None:
        self._tiles, self._out = [], self._bank.new_empty(0)  # before there are others
        num_rows, num_queries = len(self._bank), len(queries)
        tile_rows = TILE_ROWS[self._bank.device.type]
        some, cast = self._bank[: max(tile_rows)], self._cast(queries)
        tilings = _tilings(tile_rows, num_rows, num_queries)
        took, layout = fastest(tilings, some, cast, TRIES, TUNING_S)
        result_bytes = num_rows * num_queries * self._bank.element_size()
        expected = took * num_rows / len(some)
        if result_bytes <= WHOLE_BYTES and expected <= WHOLE_S:
            whole = (Layout(first, False, num_rows, num_queries) for first in (False, True))
            tries = TRIES if expected < 1 else 1
            layout = fastest([layout, *whole], self._bank, cast, tries)[1]
            self.notes = {"fastest": str(layout)}
        else:
            self.notes = {"fastest": f"{layout} (one call for all not tried)"}
        self._layout, self._tiles = layout, layout.cut(self._bank)
        self._out = buffer_for(layout, self._bank)

    def search(self, queries: Floats, k: int) -> None:
        if self._layout is None:
            raise ValueError("not prepared")
        self._layout.multiply(self._tiles, self._cast(queries), self._out)

    def _cast(self, queries: Floats) -> torch.Tensor:
        return torch.from_numpy(queries).to(self._bank.device, self._bank.dtype)


def _tilings(tile_rows: Sequence[int], num_rows: int, num_queries: int) -> Iterator[Layout]:
    """The likeliest first, as the time to try them may run out."""
    for queries in dict.fromkeys((min(num_queries, 1024), num_queries)):
        for rows in tile_rows:
            for bank_first in (False, True):
                for copied in (False, True):
                    yield Layout(bank_first, copied, min(rows, num_rows), queries)


def fastest(
    layouts: Iterable[Layout],
    rows: torch.Tensor,
    queries: torch.Tensor,
    tries: int,
    limit_s: float = math.inf,
) -> tuple[float, Layout]:
    """Seconds and layout; none is begun after so many seconds, but for the first."""
    begun = time.perf_counter()
    found: list[tuple[float, Layout]] = []
    for layout in layouts:
        if found and time.perf_counter() - begun > limit_s:
            break
        tiles, out = layout.cut(rows), buffer_for(layout, rows)
        for _ in range(tries):
            start = time.perf_counter()
            layout.multiply(tiles, queries, out)
            found.append((time.perf_counter() - start, layout))
    return min(found, key=lambda pair: pair[0])


def buffer_for(layout: Layout, bank: torch.Tensor) -> torch.Tensor:
    size = min(layout.rows, len(bank)) * layout.queries
    return bank.new_empty(size).fill_(0)  # filled, so that its pages are there
