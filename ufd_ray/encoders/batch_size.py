"""How many images a GPU takes at once: tried out, where nobody says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ufd_ray.errors import ClusterError

SIZES = (32, 64, 128, 256, 512)
WORTHWHILE = 1.02
"""Times as fast as the size before, or a size is not worth its memory."""
SHARE = 0.5
"""Of the memory that is free: others may compute on the same GPU."""
_BATCHES = 3
"""That each size is timed on, after one that is not."""


@dataclass(frozen=True)
class Tried:
    """What a batch took.

    Attributes:
        seconds: of one batch.
        memory: at most, beside the weights, bytes.
        free: that there were before, bytes.
    """

    seconds: float
    memory: int
    free: int


def fastest_size(try_size: Callable[[int], Tried]) -> int:
    """The smallest size of which the next one is hardly faster, or does not fit.

    Args:
        try_size: runs batches of a size.

    Raises:
        ClusterError: the smallest does not fit.
    """
    smallest, *larger = SIZES
    try:
        best, seen = smallest, try_size(smallest)
    except torch.OutOfMemoryError as error:
        raise ClusterError(
            f"the GPU has not the memory for {smallest} images at once; give a smaller"
            " --batch-size, or a GPU that nobody else uses"
        ) from error
    for size in larger:
        if seen.memory * size / best > SHARE * seen.free:
            break
        try:
            tried = try_size(size)
        except torch.OutOfMemoryError:  # others have taken it meanwhile
            break
        if size / tried.seconds < WORTHWHILE * best / seen.seconds:
            break
        best, seen = size, tried
    return best


def try_batch_sizes(
    forward: Callable[[Tensor], Tensor], input_size: int, device: torch.device
) -> int:
    """Run batches of random pixels on a GPU, a second or two in all.

    Args:
        forward: uint8 (n, input_size, input_size, 3) → embeddings.
        input_size: side of a picture, pixels.
        device: a GPU.

    Returns:
        Images in a batch.

    Raises:
        ClusterError: the GPU has not the memory for the smallest.
    """

    def try_size(size: int) -> Tried:
        shape = (size, input_size, input_size, 3)
        free = _free(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
        forward(pixels)
        torch.cuda.synchronize(device)
        begun = time.perf_counter()
        for _ in range(_BATCHES):
            forward(pixels)
        torch.cuda.synchronize(device)
        seconds = (time.perf_counter() - begun) / _BATCHES
        return Tried(seconds, torch.cuda.max_memory_allocated(device) - before, free)

    size = fastest_size(try_size)
    torch.cuda.empty_cache()  # what larger sizes took
    return size


def _free(device: torch.device) -> int:
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + kept)
