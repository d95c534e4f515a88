"""One pass over the bank: which rows may be among the nearest of each query.

Products of a tile of rows with a block of queries are looked at in groups of rows. Only where the
largest of a group reaches the query's floor is the group looked at closer, and only rows that may
reach it, rounding considered, are kept. A floor is a similarity that enough rows are known to have:
a row that lies below it is none of the nearest. Floors rise as the pass goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ufd_ray.detectors.search.candidates import Candidates
from ufd_ray.detectors.search.coarse_rows import GROUP, INTEGERS, CoarseQueries, CoarseRows, Tile
from ufd_ray.detectors.search.pool import MOST, Pool
from ufd_ray.detectors.search.products import Products, bounded_products
from ufd_ray.detectors.search.rounding import UNIT_ROUNDOFF

_MOST_AT_ONCE = 2**21
"""Products of one tile that are looked at closer; where there are more, crowded queries go."""
_MOST_WAITING = 250_000
"""Candidates of each block of queries that wait for higher floors. With those of one tile they
bound what a scan holds beside the tile's products."""
_GROUPS_TOGETHER = 16


def scan(
    coarse: CoarseRows, queries: CoarseQueries, pools: Sequence[tuple[slice, Pool]]
) -> list[Candidates]:
    """Find every row that may be among the nearest of a query.

    Args:
        coarse: the bank.
        queries: q of them.
        pools: the parts of the queries that are multiplied at a time, and an empty pool for each.

    Returns:
        Of every part the candidates of those of its queries that are not crowded.
    """
    blocks = [(queries[part], pool) for part, pool in pools]
    products = Products()
    with bounded_products(queries.vectors.device):
        for number, tile in enumerate(coarse.tiles(), start=1):
            for block, pool in blocks:
                pool.add(_candidates(tile, block, pool, products))
                # Whenever the scan has doubled: then no floor is staler than by a factor of two.
                if number & (number - 1) == 0 or len(pool) > _MOST_WAITING:
                    pool.raise_floors()
    return [pool.raise_floors() for _, pool in pools]


def _candidates(tile: Tile, queries: CoarseQueries, pool: Pool, multiply: Products) -> Candidates:
    products = multiply(tile.vectors, queries.vectors)
    width = _rows_a_group(len(tile.rows), pool.most_wanted)
    groups = products.view(-1, width, len(queries.vectors))
    offset = tile.offset.view(-1, width)
    # As integers, the bits of floating-point numbers are in order, but for negative ones. What
    # comes out is the largest product of a group or, if all are negative, one of them.
    largest = groups.view(INTEGERS[products.element_size()]).amax(dim=1)
    slack, roundoff = tile.slack(queries), tile.roundoff
    if not pool.has_started(tile.label):
        value = largest[: -(-len(tile.rows) // width)].view(products.dtype).float()
        certain = value - roundoff * value.abs() + offset[: len(value), -1:]
        pool.start(tile.label, certain + (queries.offset - slack))
    reach = torch.from_numpy(pool.reach(tile.label)).to(slack.device)
    group, query = _reached(largest, offset[:, 0], reach - queries.offset - slack, tile)
    if len(query) * width > _MOST_AT_ONCE:
        crowded = torch.bincount(query, minlength=len(slack)) * width > MOST
        pool.drop(crowded.cpu().numpy())
        group, query = group[~crowded[query]], query[~crowded[query]]
    value = groups[group, :, query].float()
    centre = value + offset[group] + queries.offset[query, None]
    spread = roundoff * value.abs() + slack[query, None]
    high = centre + spread
    row = group[:, None] * width + torch.arange(width, device=group.device)
    kept = (high >= reach[query, None]) & (row < len(tile.rows))
    which = kept.nonzero(as_tuple=True)
    return Candidates(
        query[which[0]].cpu().numpy(),
        tile.rows[row[which].cpu().numpy()],
        np.full(len(which[0]), tile.label, np.int8),
        (centre - spread)[which].cpu().numpy(),
        high[which].cpu().numpy(),
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
    """As many as leave twice as many groups as first floors are drawn from, if there are."""
    width = GROUP
    while width > 1 and num_rows < 2 * most_wanted * width:
        width //= 2
    return width
