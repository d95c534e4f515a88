"""One pass over the bank: which rows may be among the nearest of each query.

Products of a tile of rows with a block of queries are looked at in groups of rows. Only where the
largest of a group reaches the query's floor is the group looked at closer, and only rows that may
reach it, rounding considered, are kept. A floor is a similarity that enough rows are known to have:
a row that lies below it is none of the nearest. Floors rise as the pass goes on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ufd_ray.detectors.search.candidates import Candidates
from ufd_ray.detectors.search.coarse_rows import (
    GROUP,
    INTEGERS,
    WHOLE,
    CoarseQueries,
    CoarseRows,
    Share,
    Tile,
)
from ufd_ray.detectors.search.pool import MOST, Pool
from ufd_ray.detectors.search.products import Products
from ufd_ray.detectors.search.rounding import UNIT_ROUNDOFF

_GROUPS_TOGETHER = 16
_AHEAD = {"cpu": 0, "cuda": 1}
"""Products that are asked for before the candidates of the last one are, so that a GPU has work."""


def scan(
    coarse: CoarseRows,
    queries: CoarseQueries,
    pools: Sequence[tuple[slice, Pool]],
    share: Share = WHOLE,
) -> None:
    """Find every row that may be among the nearest of a query.

    Args:
        coarse: the bank.
        queries: q of them.
        pools: the parts of the queries that are multiplied at a time, and for each the pool that
            they go to.
        share: of which tiles.
    """
    blocks = [(queries[part], pool) for part, pool in pools]
    together = max((len(block.vectors) for block, _ in blocks), default=0)
    numbered = enumerate(coarse.tiles(together, share), start=1)
    work = ((number, tile, *block) for number, tile in numbered for block in blocks)
    for (number, tile, some, pool), products in _multiplied(work):
        pool.add(_candidates(tile, some, pool, products))
        # Whenever the scan has doubled: then no floor is staler than by a factor of two.
        if number & (number - 1) == 0 or pool.is_full:
            pool.raise_floors()


_Work = tuple[int, Tile, CoarseQueries, Pool]


def _multiplied(work: Iterator[_Work]) -> Iterator[tuple[_Work, _Grouped]]:
    """Products of all tiles and blocks, one after the other; good until the next are asked for."""
    buffers: list[Products] = []
    waiting: deque[tuple[_Work, _Grouped]] = deque()
    for place, one in enumerate(work):
        _, tile, queries, pool = one
        ahead = _AHEAD[tile.vectors.device.type]
        if len(buffers) <= ahead:
            buffers.append(Products())
        products = buffers[place % (ahead + 1)](tile.vectors, queries.vectors)
        width = _rows_a_group(len(tile.rows), pool.most_wanted)
        waiting.append((one, _Grouped(products.view(-1, width, len(queries.vectors)))))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


class _Grouped:
    """Products of a tile and a block.

    Attributes:
        values: (g, w, q): of g groups of w rows with q queries.
        largest: (g, q) integers: bits of the largest of each group.
    """

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values
        # As integers, the bits of floating-point numbers are in order, but for negative ones. What
        # comes out is the largest product of a group or, if all are negative, one of them.
        self.largest = values.view(INTEGERS[values.element_size()]).amax(dim=1)


def _candidates(tile: Tile, queries: CoarseQueries, pool: Pool, products: _Grouped) -> Candidates:
    values, largest = products.values, products.largest
    width = values.shape[1]
    offset = tile.offset.view(-1, width)
    slack, roundoff = tile.slack(queries), tile.roundoff
    if not pool.has_started(tile.label):
        value = largest[: -(-len(tile.rows) // width)].view(values.dtype).float()
        certain = value - roundoff * value.abs() + offset[: len(value), -1:]
        pool.start(tile.label, certain + (queries.offset - slack))
    reach = pool.reach(tile.label)
    most = queries.offset + slack
    group, query = _reached(largest, offset[:, 0], reach - most, tile)
    if len(query) * width > MOST * len(slack):  # more than all pools hold
        crowded = torch.bincount(query, minlength=len(slack)) * width > MOST
        pool.drop(crowded)
        reach = pool.reach(tile.label)
        places = (~crowded[query]).nonzero().view(-1)
        group, query = group[places], query[places]
    value = values[group, :, query].float()
    high = torch.add(value, value.abs(), alpha=roundoff) if roundoff else value.clone()
    high += offset.index_select(0, group)
    high += most.index_select(0, query)[:, None]
    kept = high >= reach.index_select(0, query)[:, None]
    if len(tile.rows) < len(tile.vectors):  # the last row stands there again and again
        row = group[:, None] * width + torch.arange(width, device=group.device)
        kept &= row < len(tile.rows)
    which, place = kept.nonzero(as_tuple=True)
    group, query = group.index_select(0, which), query.index_select(0, which)
    value, high = value[which, place], high[which, place]
    spread = torch.add(slack.index_select(0, query), value.abs(), alpha=roundoff)
    return Candidates(
        query,
        tile.rows.index_select(0, group * width + place),
        torch.full((len(which),), tile.label, dtype=torch.int8, device=group.device),
        torch.sub(high, spread, alpha=2),
        high,
    )


def _reached(
    largest: torch.Tensor, offset: torch.Tensor, reach: torch.Tensor, tile: Tile
) -> tuple[torch.Tensor, ...]:
    """Group and query wherever the largest product of a group may be enough.

    Args:
        largest: (g, q), bits of products.
        offset: (g,), the largest of each group, falling.
        reach: (q,), what product and offset have to come to.
        tile: where the groups are from.
    """
    # One comparison of bits for several groups, with what the largest of their offsets leaves.
    together = math.gcd(len(largest), _GROUPS_TOGETHER)
    dtype = tile.vectors.dtype
    needed = (reach - offset[::together, None]) / (1 + tile.roundoff)
    bits = (needed * (1 - 4 * UNIT_ROUNDOFF[dtype])).to(dtype).view(largest.dtype)
    # Where nothing above zero is needed, negative ones may do, whose bits are in no order.
    bits = bits.masked_fill(needed <= 0, torch.iinfo(largest.dtype).min)
    blocks = largest.view(-1, together, largest.shape[1])
    reached = (blocks >= bits[:, None]).view(-1)
    if reached.device.type == "cpu":  # NumPy's search of flags takes a third of torch's time
        places = torch.from_numpy(np.flatnonzero(reached.numpy()))
    else:
        places = reached.nonzero().view(-1)
    return places // largest.shape[1], places % largest.shape[1]


def _rows_a_group(num_rows: int, most_wanted: int) -> int:
    """As many as leave twice as many groups as first floors are drawn from, if there are.

    And no more than that the groups of the wanted rows alone take a quarter of what a pool holds.
    """
    width = GROUP
    while width > 1 and (num_rows < 2 * most_wanted * width or most_wanted * width > MOST // 4):
        width //= 2
    return width
