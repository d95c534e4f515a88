"""Some images from all over a listing, in one pass over it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from ufd_ray.schema import POSITION


def sample_rows(tables: Iterable[Any], num_rows: int, seed: int) -> Any:
    """Draw rows, each set of them as likely as any other. In memory are no more than these.

    Args:
        tables: `pa.Table`s of one schema, with `position`; at least one.
        num_rows: how many; all, where there are no more.
        seed: for the same listing, the same rows.

    Returns:
        `pa.Table`, by position.
    """
    random = np.random.default_rng(seed)
    drawn: Any = None
    lots = np.empty(0)
    for table in tables:
        # Every row draws a number, and the lowest stay: who comes late has the same chance.
        drawn = table if drawn is None else pa.concat_tables([drawn, table])
        lots = np.concatenate([lots, random.random(len(table))])
        lowest = np.sort(np.argsort(lots, kind="stable")[:num_rows])
        drawn, lots = drawn.take(pa.array(lowest)), lots[lowest]
    return drawn.combine_chunks().sort_by(POSITION.name)
