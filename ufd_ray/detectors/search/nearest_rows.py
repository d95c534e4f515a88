"""The nearest rows of every query: scanned for, sieved in float32, decided in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.search.candidates import Candidates, joined
from ufd_ray.detectors.search.coarse_rows import CoarseRows
from ufd_ray.detectors.search.counts import SearchCounts
from ufd_ray.detectors.search.floors import Floors
from ufd_ray.detectors.search.pairs import Pairs, concatenate
from ufd_ray.detectors.search.pool import Pool
from ufd_ray.detectors.search.rescoring import exact_similarity, single_similarity
from ufd_ray.detectors.search.rounding import float32_pairwise
from ufd_ray.detectors.search.scan import scan
from ufd_ray.detectors.search.streaming import search_streaming
from ufd_ray.detectors.search.unit_rows import UnitRows

BLOCK = 1024
"""Queries in one matrix product."""


@dataclass(frozen=True, eq=False)
class Bank:
    """What is searched.

    Attributes:
        rows: n vectors.
        labels: (n,) int8, their classes.
        rank: (n,) int64: which of two equally similar rows comes first.
        coarse: the vectors as the first scan reads them.
        single: the same as later ones do, in float32; itself, if the first one was in that.
    """

    rows: UnitRows
    labels: NDArray[np.int8]
    rank: NDArray[np.int64]
    coarse: CoarseRows
    single: CoarseRows


def nearest(
    bank: Bank, units: NDArray[np.float64], k: int, leave_out: NDArray[np.int64] | None
) -> tuple[Pairs, Pairs, SearchCounts]:
    """The k nearest of the joint bank and the nearest of each class, of every query.

    Args:
        bank: what is searched, at least k rows beside the one that is left out.
        units: (q, d) float64 unit vectors.
        k: how many of the joint bank; 0: none.
        leave_out: (q,) row that each query may not find; None: none.

    Returns:
        q·k pairs, k of a query together, from the nearest on; at most 2q pairs of query and nearest
        row of a class, in no order; how they were found.
    """
    found, crowded, floors = _scan(bank.coarse, units, k, leave_out, None)
    num_recomputed = len(crowded)
    if len(crowded) and bank.single is not bank.coarse:
        own = None if leave_out is None else leave_out[crowded]
        again, still, floors = _scan(bank.single, units[crowded], k, own, floors)
        found = joined([found, again.of(crowded)])
        crowded = crowded[still]
    found = _sieved(bank, found, units, k)
    similarity = exact_similarity(bank.rows, found.row, units, found.query)
    pairs = Pairs(found.query, found.row, similarity)
    joint = [pairs.best(k, bank.rank)]
    near = [pairs.take(found.label == label).best(1, bank.rank) for label in np.unique(found.label)]
    if len(crowded):
        own = None if leave_out is None else leave_out[crowded]
        first, second = search_streaming(
            bank.rows, bank.single, units[crowded], floors, k, bank.rank, own
        )
        joint.append(first.of(crowded))
        near.append(second.of(crowded))
    counts = SearchCounts(
        len(units),
        len(units) - num_recomputed,
        num_recomputed,
        _num_too_close(found, k) + len(crowded),
    )
    return concatenate(joint), concatenate(near), counts


def _scan(
    coarse: CoarseRows,
    units: NDArray[np.float64],
    k: int,
    leave_out: NDArray[np.int64] | None,
    floors: Floors | None,
) -> tuple[Candidates, NDArray[np.int64], Floors]:
    """Candidates of the queries that are not crowded, the numbers of the others, their floors."""
    starts = range(0, len(units), BLOCK)
    blocks = [slice(start, min(start + BLOCK, len(units))) for start in starts]
    pools = [
        Pool(
            len(units[block]),
            k,
            None if leave_out is None else leave_out[block],
            None if floors is None else floors[block],
        )
        for block in blocks
    ]
    found = scan(coarse, coarse.prepare(units), list(zip(blocks, pools, strict=True)))
    numbers = np.arange(len(units))
    crowded = [numbers[block][pool.crowded] for block, pool in zip(blocks, pools, strict=True)]
    return (
        joined([part.of(numbers[block]) for part, block in zip(found, blocks, strict=True)]),
        np.concatenate(crowded),
        Floors.joined([pool.floors[pool.crowded] for pool in pools]),
    )


def _sieved(bank: Bank, found: Candidates, units: NDArray[np.float64], k: int) -> Candidates:
    """Those of the candidates that float32 does not rule out."""
    similarity = single_similarity(bank.rows, found.row, units, found.query)
    bound = np.float32(float32_pairwise(bank.rows.dim))
    closer = Candidates(found.query, found.row, found.label, similarity - bound, similarity + bound)
    pool = Pool(len(units), k, None)
    pool.add(closer)
    return pool.raise_floors()


def _num_too_close(found: Candidates, k: int) -> int:
    """Queries among whose first k + 1 candidates two lie closer than float32 can tell."""
    order = np.lexsort((-found.high, found.query))
    query, low, high = found.query[order], found.low[order], found.high[order]
    place = np.arange(len(order)) - np.searchsorted(query, query)
    close = (query[1:] == query[:-1]) & (place[:-1] < k) & (high[1:] >= low[:-1])
    return len(np.unique(query[1:][close]))
