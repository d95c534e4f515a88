"""What no encoder can beat: a machine's rate at matrix products, and how many operations it takes.

Operations are counted by `torch.utils.flop_counter` on a copy of the tower without memory (device
`meta`): 2·m·n·k for every product, convolutions and attention included, nothing for the rest.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from statistics import median
from typing import Any

import torch
from encoder_recipes import wait
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ufd_ray.encoders.tower import Tower

SECONDS = 0.2
"""For which a product is repeated, at least."""

Shape = tuple[int, int, int]


class _Products(TorchDispatchMode):
    """Collects the shapes (m, k, n) of a network's products with its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: Counter[Shape] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.addmm.default:
            self.shapes[(*args[1].shape, args[2].shape[1])] += 1
        elif func is torch.ops.aten.mm.default:
            self.shapes[(*args[0].shape, args[1].shape[1])] += 1
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def _run_without_memory(tower: Tower, num_images: int) -> None:
    module: nn.Module = copy.deepcopy(tower.module).to("meta").eval()
    size = tower.input_size
    native = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # nobody counts what it does
    try:
        with sdpa_kernel(SDPBackend.MATH):
            module(torch.empty(num_images, 3, size, size, device="meta"))
    finally:
        torch.backends.mha.set_fastpath_enabled(native)


def flops_per_image(tower: Tower) -> int:
    """Operations, a multiplication and an addition each counted."""
    with FlopCounterMode(display=False) as counter:
        _run_without_memory(tower, 1)
    return int(counter.get_total_flops())


def product_shapes(tower: Tower, num_images: int) -> Counter[Shape]:
    """The shapes of a batch's products with weights, and how often each is computed."""
    with _Products() as products:
        _run_without_memory(tower, num_images)
    return products.shapes


def product_rate(shape: Shape, dtype: torch.dtype, device: str, rounds: int) -> dict[str, Any]:
    """Seconds and FLOP/s of one product with a bias, as linear layers compute it.

    On numbers from a normal distribution: zeros would take less power, and run faster.
    """
    m, k, n = shape
    left = torch.randn(m, k, device=device, dtype=dtype)
    right = torch.randn(n, k, device=device, dtype=dtype)
    bias = torch.randn(n, device=device, dtype=dtype)
    out = torch.empty(m, n, device=device, dtype=dtype)
    took = []
    for turn in range(rounds + 1):
        wait(device)
        begun, times = time.perf_counter(), 0
        while times == 0 or time.perf_counter() - begun < SECONDS:
            for _ in range(10 if device == "cuda" else 1):
                torch.addmm(bias, left, right.t(), out=out)
                times += 1
            wait(device)
        if turn:  # the first is for warming up
            took.append((time.perf_counter() - begun) / times)
    seconds = median(took)
    return {"shape": list(shape), "seconds": seconds, "flops": 2 * m * k * n / seconds}
