"""What the three libraries' builders have in common: an image tower, its head taken off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ufd_ray.encoders.identity import Triple


@dataclass(frozen=True, eq=False)
class Tower:
    """A network from normalised pixels to features.

    Attributes:
        module: float32 (n, 3, input_size, input_size) → float32 (n, dim).
        arch: the architecture as built, in the words of a spec.
        input_size: side of its input, pixels.
        mean: per channel (RGB), on the scale where white is 1.
        std: likewise.
        dim: numbers in a feature.
    """

    module: nn.Module
    arch: str
    input_size: int
    mean: Triple
    std: Triple
    dim: int


@contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Let the block draw the random numbers of `seed`, and leave the caller's as they were.

    Towers are built on the CPU, so that a seed means the same weights with and without a GPU.
    `torch.manual_seed` would reseed the GPUs as well.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class NoRandomNumbers(TorchFunctionMode):
    """Let the block make networks of constant numbers: each is to be loaded over.

    To draw them takes longer than to load those of the file. They cannot stay as the memory was:
    `trunc_normal_` draws again and again until all are within its bounds. A mean is, and the
    smallest of uniform numbers lets its comparison end as well.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function not in _DRAWING:
            return function(*args, **kwargs)
        tensor, *further = args or (kwargs["tensor"],)
        if name := _DRAWING[function]:
            value = further[0] if further else kwargs.get(name, 0.0)
            with torch.no_grad():
                tensor.fill_(value)
        return tensor


_DRAWING = {
    Tensor.uniform_: "from",
    Tensor.normal_: "mean",
    nn.init.uniform_: "a",
    nn.init.normal_: "mean",
    nn.init.kaiming_uniform_: None,
    nn.init.kaiming_normal_: None,
    Tensor.erfinv_: None,  # what timm's `trunc_normal_` makes of numbers that were drawn
}
"""What draws → its argument whose value all numbers become, by default 0; None: they stay."""
