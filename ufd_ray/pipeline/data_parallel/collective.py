"""What workers do together. All call each of these equally often, in one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ufd_ray.errors import UfdError

T = TypeVar("T")


def agreed(read: Callable[[], T]) -> T:
    """What `read` returns; if it fails on one worker, all raise its error: none waits for it."""
    found: list[T] = []
    error: UfdError | None = None
    try:
        found.append(read())
    except UfdError as mine:
        error = mine
    for one in gather(error):
        if one is not None:
            raise one
    return found[0]


def gather(mine: T) -> Sequence[T]:
    """What each worker has, by its number."""
    everyones: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyones, mine)
    return everyones


def sum_over_workers(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum a vector over all workers, in float64: an `AllReduce`."""
    total = torch.from_numpy(np.array(vector, dtype=np.float64))
    torch.distributed.all_reduce(total)
    return total.numpy()


def in_order(numbers: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values of all workers, sorted by the numbers that go with them."""
    gathered = gather((numbers, values))
    order = np.argsort(np.concatenate([found for found, _ in gathered]), kind="stable")
    together: npt.NDArray[Any] = np.concatenate([found for _, found in gathered])[order]
    return together
