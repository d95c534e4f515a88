"""Search for queries with more possible rows than a pool holds: near-duplicates by the thousand.

Every row at or above a query's floor is rescored in float64, tile by tile, and only the nearest are
kept from one tile to the next.
"""

from __future__ import annotations

import math

import torch

from ufd_ray.detectors.search.coarse_rows import BLOCK, CoarseRows
from ufd_ray.detectors.search.floors import Floors, Wanted
from ufd_ray.detectors.search.pairs import Pairs, concatenate
from ufd_ray.detectors.search.products import Products
from ufd_ray.detectors.search.rescoring import exact_similarity
from ufd_ray.detectors.search.unit_rows import UnitRows

_QUERIES = 64
"""Queries in one product: every row of a tile may be a candidate of each, so tiles are small."""


def search_streaming(
    bank: UnitRows,
    coarse: CoarseRows,
    units: torch.Tensor,
    floors: Floors,
    wanted: Wanted,
    rank: torch.Tensor,
    leave_out: torch.Tensor | None,
) -> tuple[Pairs, torch.Tensor]:
    """The k nearest of the joint bank, and how near each class comes, of each of q queries.

    Args:
        bank: all vectors.
        coarse: the same, as a scan reads them in float32.
        units: (q, d) float64 unit vectors.
        floors: similarities that the wanted rows are known to reach.
        wanted: how many neighbours: pairs of the joint bank, similarities to each class.
        rank: (n,) which of two equally similar rows comes first.
        leave_out: (q,) row that each query may not find; None: none.

    Returns:
        At most q·k (`wanted.joint`) pairs, in the order of `Pairs.best`; float64
        (2, q, `wanted.per_class`), similarity to the nearest real and fake rows, falling, -infinity
        where there are no more.
    """
    found = []
    for start in range(0, len(units), _QUERIES):
        part = slice(start, min(start + _QUERIES, len(units)))
        own = None if leave_out is None else leave_out[part]
        pairs, near = _search_some(bank, coarse, units[part], floors[part], wanted, rank, own)
        numbers = torch.arange(part.start, part.stop, device=units.device)
        found.append((pairs.of(numbers), near))
    joint = concatenate([pairs for pairs, _ in found], units.device)
    return joint, torch.cat([near for _, near in found], dim=1)


def _search_some(
    bank: UnitRows,
    coarse: CoarseRows,
    units: torch.Tensor,
    floors: Floors,
    wanted: Wanted,
    rank: torch.Tensor,
    leave_out: torch.Tensor | None,
) -> tuple[Pairs, torch.Tensor]:
    device, (k, per_class) = units.device, wanted
    joint = concatenate([], device)
    shape = (2, len(units), per_class)
    closest = torch.full(shape, -math.inf, dtype=torch.float64, device=device)
    queries, products = coarse.prepare(units), Products()
    for tile in coarse.tiles(BLOCK[device.type]):
        values = products(tile.vectors, queries.vectors) + tile.offset[:, None]
        reach = floors.of(tile.label) - queries.offset - tile.slack(queries)
        place, query = (values[: len(tile.rows)] >= reach).nonzero(as_tuple=True)
        row = tile.rows[place]
        if leave_out is not None:
            others = row != leave_out[query]
            row, query = row[others], query[others]
        pairs = Pairs(query, row, exact_similarity(bank, row, units, query))
        joint = concatenate([joint, pairs], device).best(k, rank)
        both = torch.cat([closest[tile.label], pairs.closest(len(units), per_class)], dim=1)
        closest[tile.label] = both.topk(per_class, dim=1).values
    return joint, closest
