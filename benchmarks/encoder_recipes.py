"""The ways of running one image tower that `encoder.py` compares, in plain torch."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ufd_ray.encoders.lean import make_lean
from ufd_ray.encoders.packed import pack_weights
from ufd_ray.encoders.tower import Tower

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Recipe:
    """How a tower is run.

    Attributes:
        precision: of weights and of what lies between layers.
        lean: its layers rewritten (`make_lean`).
        packed: weights laid out for a CPU's bf16 instructions (`pack_weights`).
        channels_last: pixels and convolutions with their channels innermost.
        native_attention: `nn.MultiheadAttention` may take its inference kernel.
        compiled: empty: not; `blocks`: each repeated block; `whole`: all of it at once.
        mode: of `torch.compile`.
    """

    precision: str
    lean: bool = False
    packed: bool = False
    channels_last: bool = False
    native_attention: bool = True
    compiled: str = ""
    mode: str = "default"

    def __str__(self) -> str:
        parts = [self.precision]
        parts += ["lean"] * self.lean + ["packed"] * self.packed
        parts += ["channels last"] * self.channels_last
        parts += ["no native attention"] * (not self.native_attention)
        if self.compiled:
            mode = "" if self.mode == "default" else f", {self.mode}"
            parts += [f"compiled: {self.compiled}{mode}"]
        return " · ".join(parts)


@dataclass
class Runner:
    """One tower in one recipe, ready to run.

    Attributes:
        recipe: its recipe.
        seconds: that making it took, but for compilation, which the first batch of a size pays.
        first_s: what the first batch of each size took, seconds.
    """

    tower: Tower
    recipe: Recipe
    device: str
    seconds: float = 0
    first_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        begun = time.perf_counter()
        recipe = self.recipe
        module = copy.deepcopy(self.tower.module).eval().requires_grad_(False)
        if recipe.lean and not make_lean(module):
            raise ValueError(f"{self.tower.arch} has nothing that could be made lean")
        module = module.to(self.device, DTYPES[recipe.precision])
        if recipe.packed and not pack_weights(module):
            raise ValueError(f"{self.tower.arch} has no layers whose weights could be packed")
        if recipe.channels_last:
            module = module.to(memory_format=torch.channels_last)
        if recipe.compiled == "blocks":
            blocks = repeated_blocks(module)
            if not blocks:
                raise ValueError(f"{self.tower.arch} has no repeated blocks")
            for block in blocks:
                block.compile(fullgraph=True, dynamic=False, mode=recipe.mode)
        elif recipe.compiled:
            module.compile(fullgraph=True, dynamic=False, mode=recipe.mode)
        self._module = module
        self._mean = torch.tensor(self.tower.mean, device=self.device).view(3, 1, 1)
        self._std = torch.tensor(self.tower.std, device=self.device).view(3, 1, 1)
        self.seconds = time.perf_counter() - begun

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> Tensor:
        """uint8 (n, size, size, 3) on the device → float32 (n, dim)."""
        values = pixels.permute(0, 3, 1, 2).float() / 255
        ready = ((values - self._mean) / self._std).to(DTYPES[self.recipe.precision])
        memory = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        with _native_attention(self.recipe.native_attention and not self.recipe.compiled):
            features: Tensor = self._module(ready.contiguous(memory_format=memory))
        return features.float()

    def warm(self, pixels: Tensor) -> None:
        """Pay what the first batch of a size pays."""
        begun = time.perf_counter()
        self(pixels)
        wait(self.device)
        self.first_s[len(pixels)] = time.perf_counter() - begun
        for _ in range(2):
            self(pixels)
        wait(self.device)


def repeated_blocks(module: nn.Module) -> list[nn.Module]:
    """The longest list of modules of one class that a network has: one compilation serves all."""
    lists = (
        list(part.children())
        for part in module.modules()
        if isinstance(part, nn.ModuleList | nn.Sequential)
    )
    alike = [blocks for blocks in lists if len(blocks) > 1 and len({*map(type, blocks)}) == 1]
    return max(alike, key=len, default=[])


@contextmanager
def _native_attention(allowed: bool) -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(allowed)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def random_pixels(num_images: int, size: int, seed: int = 0) -> Tensor:
    """uint8 (n, size, size, 3): coarse blocks of colour with noise, so that no two embed alike."""
    numbers = torch.Generator().manual_seed(seed)
    shape = (num_images, 7, 7, 3)
    coarse = torch.randint(0, 200, shape, generator=numbers, dtype=torch.uint8)
    step = -(-size // 7)
    big = coarse.repeat_interleave(step, 1).repeat_interleave(step, 2)[:, :size, :size]
    noise = torch.randint(0, 56, big.shape, generator=numbers, dtype=torch.uint8)
    return (big + noise).contiguous()


def deviation(found: Tensor, exact: Tensor) -> dict[str, Any]:
    """Largest 1 − cosine, and largest distance relative to the embedding in fp32."""
    a, b = found.double().cpu(), exact.double().cpu()
    lengths = b.norm(dim=1)
    cosines = (a * b).sum(dim=1) / (a.norm(dim=1) * lengths)
    return {
        "one_minus_cosine": float((1 - cosines).max()),
        "relative": float(((a - b).norm(dim=1) / lengths).max()),
    }
