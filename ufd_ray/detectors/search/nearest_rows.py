"""The nearest rows of every query: scanned for, sieved, decided in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.candidates import Candidates, joined
from ufd_ray.detectors.search.coarse_rows import BLOCK, CoarseRows, Share
from ufd_ray.detectors.search.counts import SearchCounts
from ufd_ray.detectors.search.floors import Floors, Wanted
from ufd_ray.detectors.search.held import Held
from ufd_ray.detectors.search.pairs import Pairs, concatenate
from ufd_ray.detectors.search.pool import Pool
from ufd_ray.detectors.search.rescoring import exact_similarity, single_similarity
from ufd_ray.detectors.search.rounding import float32_pairwise
from ufd_ray.detectors.search.scan import scan
from ufd_ray.detectors.search.streaming import search_streaming
from ufd_ray.detectors.search.threads import side_by_side
from ufd_ray.detectors.search.unit_rows import StoredRows, UnitRows
from ufd_ray.schema import FAKE, REAL

_FEW = 2
"""Candidates to each row that may be wanted: more of them are sieved before float64 decides."""


@dataclass(frozen=True, eq=False)
class Bank:
    """What is searched.

    Attributes:
        rows: n vectors.
        labels: (n,) int8, their classes.
        rank: (n,) int64: which of two equally similar rows comes first.
        coarse: the vectors as the first scan reads them.
        single: the same as later ones do, in float32; itself, if the first one was in that.
        device: where all of it is done.
    """

    rows: StoredRows
    labels: NDArray[np.int8]
    rank: Held
    coarse: CoarseRows
    single: CoarseRows
    device: torch.device


def nearest(
    bank: Bank,
    queries: UnitRows,
    wanted: Wanted,
    leave_out: torch.Tensor | None,
    threads: int = 1,
) -> tuple[Pairs, torch.Tensor, SearchCounts]:
    """The k nearest of the joint bank and how near each class comes, of every query.

    Args:
        bank: what is searched, at least k rows beside the one that is left out.
        queries: q vectors, on the bank's device, and so is `leave_out`.
        wanted: how many neighbours: pairs of the joint bank, similarities to each class.
        leave_out: (q,) int64, row that each query may not find; None: none.
        threads: that scan the bank, each a share of its rows.

    Returns:
        q·k pairs, k (`wanted.joint`) of a query together, from the nearest on; float64
        (2, q, `wanted.per_class`), similarity to the nearest real and fake rows, falling, -infinity
        where there are no more; how they were found.
    """
    units, device = queries.double(), bank.device
    rows, rank = bank.rows.on(device), bank.rank.on(device)
    k, per_class = wanted
    unknown = Floors.unknown(len(units), wanted, device)
    found, crowded, floors = _scan(bank.coarse, units, wanted, leave_out, unknown, threads)
    num_recomputed = len(crowded)
    if num_recomputed and bank.single is not bank.coarse:
        own = None if leave_out is None else leave_out[crowded]
        again, still, floors = _scan(bank.single, units[crowded], wanted, own, floors, threads)
        found = joined([found, again.of(crowded)], device)
        crowded = crowded[still]
    # Not where few are left, nor on a GPU, which reads a row no faster than it adds it up.
    if device.type == "cpu" and len(found) > _FEW * len(units) * (k + 2 * per_class):
        found = _sieved(rows, found, units, wanted)
    similarity = exact_similarity(rows, found.row, units, found.query)
    pairs = Pairs(found.query, found.row, similarity)
    first = pairs.best(k + 1, rank)
    num_settled = _num_too_close(first, 2 * float32_pairwise(rows.dim)) if k else 0
    joint = first.first(k)
    of_class = [pairs.take(found.label == label) for label in (REAL, FAKE)]
    closest = torch.stack([one.closest(len(units), per_class) for one in of_class])
    if len(crowded):
        own = None if leave_out is None else leave_out[crowded]
        some, near = search_streaming(rows, bank.single, units[crowded], floors, wanted, rank, own)
        joint = concatenate([joint, some.of(crowded)], device)
        closest[:, crowded] = near
    counts = SearchCounts(
        len(units),
        len(units) - num_recomputed,
        num_recomputed,
        num_settled + len(crowded),
    )
    return joint, closest, counts


def _scan(
    coarse: CoarseRows,
    units: torch.Tensor,
    wanted: Wanted,
    leave_out: torch.Tensor | None,
    floors: Floors,
    threads: int,
) -> tuple[Candidates, torch.Tensor, Floors]:
    """Candidates of the queries that are not crowded, the numbers of the others, their floors."""
    size, numbers = BLOCK[units.device.type], torch.arange(len(units), device=units.device)
    blocks = [slice(start, start + size) for start in range(0, len(units), size)]
    queries = coarse.prepare(units)

    def scanned(share: Share) -> list[Pool]:
        pools = [
            Pool(floors[part], wanted, None if leave_out is None else leave_out[part])
            for part in blocks
        ]
        scan(coarse, queries, list(zip(blocks, pools, strict=True)), share)
        return pools

    pools, *others = side_by_side(scanned, [Share(x, threads) for x in range(threads)], threads)
    for more in others:
        for pool, other in zip(pools, more, strict=True):
            pool.take_over(other)
    found = [pool.raise_floors() for pool in pools]
    crowded = [numbers[block][pool.crowded] for block, pool in zip(blocks, pools, strict=True)]
    return (
        joined(
            [part.of(numbers[block]) for part, block in zip(found, blocks, strict=True)],
            units.device,
        ),
        torch.cat(crowded),
        Floors.joined([pool.floors[pool.crowded] for pool in pools]),
    )


def _sieved(bank: UnitRows, found: Candidates, units: torch.Tensor, wanted: Wanted) -> Candidates:
    """Those of the candidates that float32 does not rule out."""
    similarity = single_similarity(bank, found.row, units, found.query)
    bound = float32_pairwise(bank.dim)
    closer = Candidates(found.query, found.row, found.label, similarity - bound, similarity + bound)
    pool = Pool(Floors.unknown(len(units), wanted, units.device), wanted, None)
    pool.add(closer)
    return pool.raise_floors()


def _num_too_close(first: Pairs, least: float) -> int:
    """Queries of which two neighbours lie no farther apart than that."""
    apart = first.similarity[:-1] - first.similarity[1:]
    close = (first.query[1:] == first.query[:-1]) & (apart <= least)
    return len(torch.unique(first.query[1:][close]))
