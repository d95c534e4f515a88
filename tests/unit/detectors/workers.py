"""Data-parallel workers as threads: what an all-reduce does, without a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors import AllReduce

T = TypeVar("T")


def run_workers(num_workers: int, work: Callable[[int, AllReduce], T]) -> list[T]:
    """Call `work(rank, all_reduce)` once a worker, all at the same time."""
    parts: list[NDArray[np.float64]] = [np.empty(0)] * num_workers
    barrier = threading.Barrier(num_workers, timeout=600)

    def worker(rank: int) -> T:
        def all_reduce(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            assert vector.ndim == 1
            assert vector.dtype == np.float64
            parts[rank] = vector.copy()
            barrier.wait()
            assert len({len(part) for part in parts}) == 1
            total = np.sum(parts, axis=0)
            barrier.wait()
            return total

        return work(rank, all_reduce)

    with ThreadPoolExecutor(num_workers) as pool:
        return [future.result() for future in [pool.submit(worker, r) for r in range(num_workers)]]
