"""One search in several threads, each with queries of its own.

That is faster than one matrix product in several threads: all of the search is divided, not the
product alone, and no thread waits for another after every product.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

_FEWEST = 128
"""Queries of a thread: with fewer, products are no longer fast."""
_MOST = 4
"""Threads: one at a time can tell torch what to do. Each has several cores where there are more."""

T = TypeVar("T")


def side_by_side(
    function: Callable[[slice], T], num_queries: int, most: int, device: torch.device
) -> list[T]:
    """Call a function for all queries, some at a time, on the cores that torch may use here.

    Args:
        function: takes a part of the queries.
        num_queries: all of them.
        most: under way at a time.
        device: where the work is done; a GPU is kept busy by one thread.
    """
    cores = torch.get_num_threads()
    threads = max(1, min(cores, _MOST, num_queries // _FEWEST)) if device.type == "cpu" else 1
    rounds = max(1, -(-num_queries // most))
    size = max(1, -(-num_queries // (threads * rounds)))
    parts = [slice(start, min(start + size, num_queries)) for start in range(0, num_queries, size)]
    # NumPy's products are for threads that have one core each (see `Products`).
    with _numpy_products().limit(limits=1):
        if threads == 1:
            return [function(part) for part in parts]
        share = cores // threads
        try:
            with ThreadPoolExecutor(threads, "search", torch.set_num_threads, (share,)) as executor:
                return list(executor.map(function, parts))
        finally:
            torch.set_num_threads(cores)  # a part of it holds for all threads


@cache
def _numpy_products() -> ThreadpoolController:
    return ThreadpoolController().select(internal_api="openblas")
