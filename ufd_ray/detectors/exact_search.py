"""Exact nearest rows by cosine similarity: a float32 matrix product finds, float64 decides.

A float32 product over a whole bank is fast, but it misorders rows whose similarities lie closer
together than its rounding. Its error has a rigorous bound, though. So it only names candidates:
every row that the bound does not rule out. Their similarity is then computed in float64, row by
row, and that number alone decides. Hence the answer does not depend on which other queries or
rows stood in the same product, nor on the device that made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

TILE_ROWS = 8192
"""Rows of the bank in one matrix product."""
SPARE = 32
"""Candidates kept beyond k. A query that needs more of them is searched a second time."""
CROWDED_QUERIES = 64
"""Queries in one product of that second search, where every row of a tile may be a candidate."""
PAIRS = 2048
"""Pairs of vectors whose float64 copies are in memory at a time."""


class UnitRows:
    """Vectors seen as unit vectors, computed when asked for: the vectors are not copied.

    Args:
        vectors: (n, d) float32 or float16, finite and nowhere zero where they are asked for.

    Attributes:
        norms: (n,) float64; zero for a zero vector, not finite for a row that is not finite.
    """

    def __init__(self, vectors: NDArray[np.float32] | NDArray[np.float16]) -> None:
        # Sums run along contiguous rows only: then a row's sum does not depend on its neighbours.
        self.vectors = np.ascontiguousarray(vectors)
        self.norms: NDArray[np.float64] = np.empty(len(vectors))
        for start in range(0, len(vectors), PAIRS):
            chunk = self.vectors[start : start + PAIRS].astype(np.float64)
            self.norms[start : start + PAIRS] = np.sqrt((chunk * chunk).sum(axis=1))

    def double(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        """Rows as unit vectors (m, d) float64: what similarity is defined by."""
        return self.vectors[rows].astype(np.float64) / self.norms[rows, None]

    def single(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """The same vectors, rounded once to float32: what candidates are found with."""
        chunk = self.vectors[rows]
        unit: NDArray[np.float32] = np.empty(chunk.shape, np.float32)
        np.divide(chunk, self.norms[rows, None], out=unit, casting="same_kind")
        return unit


@dataclass(frozen=True)
class Pairs:
    """A flat list of pairs of a query and a row of the bank.

    Attributes:
        query: (m,) int64, number of the query.
        row: (m,) int64, number of the row in the bank.
        similarity: (m,) float64, cosine.
    """

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    similarity: NDArray[np.float64]

    def best(self, k: int, rank: NDArray[np.int64]) -> Pairs:
        """The first k pairs of every query, by similarity falling, then by the row's rank."""
        order = np.lexsort((rank[self.row], -self.similarity, self.query))
        query = self.query[order]
        place = np.arange(len(order)) - np.searchsorted(query, query)
        kept = order[place < k]
        return Pairs(self.query[kept], self.row[kept], self.similarity[kept])


def concatenate(parts: list[Pairs]) -> Pairs:
    """One list of the pairs of several (at least one)."""
    return Pairs(
        np.concatenate([part.query for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.similarity for part in parts]),
    )


def rounding_bound(dim: int) -> float:
    """How far a float32 product of two unit vectors may lie from the float64 similarity.

    A dot product summed in any order, fused or not, errs by at most gamma_d · Σ|x_i y_i|, where
    gamma_n = n u / (1 − n u) and u = 2⁻²⁴ (Higham, *Accuracy and Stability of Numerical
    Algorithms*, 2nd ed., section 3.1), and for unit vectors the sum is at most 1. Rounding the
    operands costs one u each; eight more terms than d cover that, their squares and the float64
    arithmetic. The second part covers elements and products too small for float32.
    """
    terms = (dim + 8) * 2.0**-24
    return terms / (1 - terms) + dim * 2.0**-120


def nearest(
    bank: UnitRows,
    rows: NDArray[np.int64],
    queries: NDArray[np.float64],
    k: int,
    rank: NDArray[np.int64],
    device: torch.device,
) -> Pairs:
    """The k nearest among some rows of a bank, for every query.

    Args:
        bank: all vectors.
        rows: (m,) int64, ascending: the rows to search, at least k.
        queries: (q, d) float64 unit vectors.
        k: how many, at least 1.
        rank: (n,) int64: which of two equally similar rows comes first.
        device: where the matrix products run.

    Returns:
        q·k pairs, ordered by query, then from the nearest on.
    """
    single = torch.from_numpy(queries.astype(np.float32)).to(device)
    values, places = _candidates(bank, rows, single, min(len(rows), k + SPARE))
    # At least k rows have a float32 similarity of kth or more, hence the true k-th is at least
    # kth − bound, and a row that reaches it cannot show less than kth − 2 bound.
    floor = values[:, k - 1].astype(np.float64) - 2 * rounding_bound(queries.shape[1])
    possible = values >= floor[:, None]
    crowded = possible[:, -1] & (values.shape[1] < len(rows))
    query, column = np.nonzero(possible & ~crowded[:, None])
    found = [_rescored(bank, queries, query, rows[places[query, column]])]
    numbers = np.flatnonzero(crowded)
    for start in range(0, len(numbers), CROWDED_QUERIES):
        part = numbers[start : start + CROWDED_QUERIES]
        found.append(_crowded(bank, rows, queries, single, part, floor, k, rank))
    return concatenate(found).best(k, rank)


def _candidates(
    bank: UnitRows, rows: NDArray[np.int64], single: torch.Tensor, width: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The `width` largest float32 similarities of each query, falling, and their places in rows."""
    best = torch.full((len(single), width), -torch.inf, device=single.device)
    where = torch.zeros((len(single), width), dtype=torch.int64, device=single.device)
    for start in range(0, len(rows), TILE_ROWS):
        products = _products(bank, rows[start : start + TILE_ROWS], single)
        values, columns = products.topk(min(width, products.shape[1]), dim=1)
        best, pick = torch.cat([best, values], dim=1).topk(width, dim=1)
        where = torch.cat([where, columns + start], dim=1).gather(1, pick)
    return best.cpu().numpy(), where.cpu().numpy()


def _crowded(
    bank: UnitRows,
    rows: NDArray[np.int64],
    queries: NDArray[np.float64],
    single: torch.Tensor,
    numbers: NDArray[np.int64],
    floor: NDArray[np.float64],
    k: int,
    rank: NDArray[np.int64],
) -> Pairs:
    """The k nearest for the queries `numbers`, each with more possible rows than a list holds.

    A second pass rescores every row at or above the query's floor; only k of them are kept from
    tile to tile. Should this product round otherwise than the first, the floor holds as well.
    """
    found: list[Pairs] = []
    some = single[torch.from_numpy(numbers).to(single.device)]
    for start in range(0, len(rows), TILE_ROWS):
        tile = rows[start : start + TILE_ROWS]
        products = _products(bank, tile, some).cpu().numpy()
        query, column = np.nonzero(products >= floor[numbers, None])
        found.append(_rescored(bank, queries, numbers[query], tile[column]))
        found = [concatenate(found).best(k, rank)]
    return found[0]


def _products(bank: UnitRows, rows: NDArray[np.int64], single: torch.Tensor) -> torch.Tensor:
    """Float32 similarities (q, m) of all queries and some rows, m ≥ 1."""
    # A bank whose rows are sorted by label is sliced, which saves gathering them.
    run = rows[-1] - rows[0] == len(rows) - 1
    tile = bank.single(slice(int(rows[0]), int(rows[-1]) + 1) if run else rows)
    unit = torch.from_numpy(tile).to(single.device)
    products = torch.empty((len(single), len(unit)), device=single.device)
    with torch.no_grad(), _float32_products(single.device):
        return torch.mm(single, unit.T, out=products)  # with `out`, autocast does not touch it


@contextmanager
def _float32_products(device: torch.device) -> Iterator[None]:
    """Hold off the TF32 and bfloat16 products that a process may have allowed: they err by more."""
    backend = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    before = backend.matmul.fp32_precision
    backend.matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        backend.matmul.fp32_precision = before


def _rescored(
    bank: UnitRows,
    queries: NDArray[np.float64],
    query: NDArray[np.int64],
    row: NDArray[np.int64],
) -> Pairs:
    """Similarity as it is defined: the float64 sum, row by row, over two unit vectors."""
    similarity = np.empty(len(row))
    for start in range(0, len(row), PAIRS):
        part = slice(start, start + PAIRS)
        similarity[part] = (bank.double(row[part]) * queries[query[part]]).sum(axis=1)
    return Pairs(query, row, similarity)
