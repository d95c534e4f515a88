"""One search in several threads, each with queries of its own or, where those are few, with rows.

That is faster than one matrix product in several threads: all of the search is divided, not the
product alone, and no thread waits for another after every product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

_FEWEST = 256
"""Queries of a thread: with fewer, it would copy the bank for its products too often."""
_MOST = 4
"""Threads: one at a time can tell torch what to do. Each has several cores where there are more."""

Part = TypeVar("Part")
Result = TypeVar("Result")


def divided(num_queries: int, most: int, device: torch.device) -> tuple[list[slice], int, int]:
    """How a search is shared out to the cores that torch may use here.

    Args:
        num_queries: all of them.
        most: under way at a time.
        device: where the work is done; a GPU is kept busy by one thread.

    Returns:
        The queries in parts; threads that have parts of their own; threads that each part's scan
        has in its turn, with rows of their own. One of the two is 1.
    """
    threads = min(torch.get_num_threads(), _MOST) if device.type == "cpu" else 1
    by_queries, by_rows = (threads, 1) if num_queries >= threads * _FEWEST else (1, threads)
    rounds = max(1, -(-num_queries // most))
    size = max(1, -(-num_queries // (by_queries * rounds)))
    parts = [slice(start, min(start + size, num_queries)) for start in range(0, num_queries, size)]
    return parts, by_queries, by_rows


def side_by_side(
    function: Callable[[Part], Result], parts: Sequence[Part], threads: int
) -> list[Result]:
    """Call a function for every part, in threads that share the cores torch may use here.

    Autocast is off for the function, and NumPy's products have one core in each thread.

    Args:
        function: what is called.
        parts: what it is called with.
        threads: how many; with one it is the caller's.
    """
    cores = torch.get_num_threads()

    def call(part: Part) -> Result:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            return function(part)  # autocast holds for a thread

    # NumPy's products are for threads that have one core each (see `Products`).
    with _numpy_products().limit(limits=1):
        if threads == 1:
            return [call(part) for part in parts]
        share = max(1, cores // threads)
        try:
            with ThreadPoolExecutor(threads, "search", torch.set_num_threads, (share,)) as executor:
                return list(executor.map(call, parts))
        finally:
            torch.set_num_threads(cores)  # a part of it holds for all threads


@cache
def _numpy_products() -> ThreadpoolController:
    return ThreadpoolController().select(internal_api="openblas")
