"""Search for queries with more possible rows than a pool holds: near-duplicates by the thousand.

Every row at or above a query's floor is rescored in float64, tile by tile, and only the nearest are
kept from one tile to the next.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.coarse_rows import CoarseRows
from ufd_ray.detectors.search.floors import Floors
from ufd_ray.detectors.search.pairs import Pairs, concatenate
from ufd_ray.detectors.search.products import Products, bounded_products
from ufd_ray.detectors.search.rescoring import exact_similarity
from ufd_ray.detectors.search.unit_rows import UnitRows
from ufd_ray.schema import FAKE, REAL

_QUERIES = 64
"""Queries in one product: every row of a tile may be a candidate of each."""


def search_streaming(
    bank: UnitRows,
    coarse: CoarseRows,
    units: NDArray[np.float64],
    floors: Floors,
    k: int,
    rank: NDArray[np.int64],
    leave_out: NDArray[np.int64] | None,
) -> tuple[Pairs, Pairs]:
    """The k nearest of the joint bank, and the nearest of each class, of each of q queries.

    Args:
        bank: all vectors.
        coarse: the same, as a scan reads them in float32.
        units: (q, d) float64 unit vectors.
        floors: similarities that the wanted rows are known to reach.
        k: how many of the joint bank.
        rank: (n,) which of two equally similar rows comes first.
        leave_out: (q,) row that each query may not find; None: none.
    """
    found = []
    for start in range(0, len(units), _QUERIES):
        part = np.arange(start, min(start + _QUERIES, len(units)))
        own = None if leave_out is None else leave_out[part]
        pairs = _search_some(bank, coarse, units[part], floors[part], k, rank, own)
        found.append([p.of(part) for p in pairs])
    return concatenate([joint for joint, _ in found]), concatenate([near for _, near in found])


def _search_some(
    bank: UnitRows,
    coarse: CoarseRows,
    units: NDArray[np.float64],
    floors: Floors,
    k: int,
    rank: NDArray[np.int64],
    leave_out: NDArray[np.int64] | None,
) -> tuple[Pairs, Pairs]:
    joint, nearest = concatenate([]), {REAL: concatenate([]), FAKE: concatenate([])}
    queries, products = coarse.prepare(units), Products()
    with bounded_products(queries.vectors.device):
        for tile in coarse.tiles():
            floor = torch.from_numpy(floors.of(tile.label)).to(queries.vectors.device)
            values = products(tile.vectors, queries.vectors) + tile.offset[:, None]
            reach = floor - queries.offset - tile.slack(queries)
            place, query = (values[: len(tile.rows)] >= reach).cpu().numpy().nonzero()
            row = tile.rows[place]
            if leave_out is not None:
                others = row != leave_out[query]
                row, query = row[others], query[others]
            pairs = Pairs(query, row, exact_similarity(bank, row, units, query))
            joint = concatenate([joint, pairs]).best(k, rank)
            nearest[tile.label] = concatenate([nearest[tile.label], pairs]).best(1, rank)
    return joint, concatenate(list(nearest.values()))
