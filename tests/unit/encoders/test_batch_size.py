"""How the size of a GPU's batches is found, on GPUs that are made up."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from ufd_ray.encoders.batch_size import SIZES, Tried, fastest_size
from ufd_ray.errors import ClusterError

MIB = 2**20


class MadeUp:
    """A GPU with so much memory, and so many images a second in batches of a size."""

    def __init__(
        self, speeds: Mapping[int, float], memory: int = 10**6, of_others: int = 0
    ) -> None:
        self.speeds, self.memory, self.of_others = speeds, memory * MIB, of_others * MIB
        self.tried: list[int] = []

    def __call__(self, size: int) -> Tried:
        self.tried.append(size)
        if size * MIB > self.memory - self.of_others:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Tried(size / self.speeds[size], size * MIB, self.memory)


SATURATED = {32: 1000.0, 64: 1800.0, 128: 2400.0, 256: 2420.0, 512: 2500.0}
GROWING = {size: 10.0 * size for size in SIZES}


def test_it_stops_where_more_is_hardly_faster() -> None:
    gpu = MadeUp(SATURATED)
    assert fastest_size(gpu) == 128
    assert gpu.tried == [32, 64, 128, 256]


def test_a_slower_size_is_not_taken() -> None:
    assert fastest_size(MadeUp({**SATURATED, 64: 900.0})) == 32


def test_the_largest_is_taken_where_it_pays() -> None:
    assert fastest_size(MadeUp(GROWING)) == SIZES[-1]


def test_half_of_the_free_memory_is_left_to_others() -> None:
    gpu = MadeUp(GROWING, memory=300)
    assert fastest_size(gpu) == 128
    assert gpu.tried == [32, 64, 128], "256 MiB of 300 are more than half, and are not tried"


def test_where_others_took_the_memory_meanwhile_the_size_before_is_taken() -> None:
    gpu = MadeUp(GROWING, memory=300, of_others=200)
    assert fastest_size(gpu) == 64
    assert gpu.tried == [32, 64, 128]


def test_where_not_even_the_smallest_fits_one_line_says_so() -> None:
    with pytest.raises(ClusterError, match="for 32 images at once; give a smaller --batch") as e:
        fastest_size(MadeUp(GROWING, memory=16))
    assert "\n" not in str(e.value)
