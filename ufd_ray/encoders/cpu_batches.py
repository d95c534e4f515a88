"""An encoder on a CPU: transformers by cores that do not wait for each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ufd_ray.encoders.batches import Pixels
from ufd_ray.encoders.encoder import Encoder

_TOGETHER = 64
"""Pictures that all cores take at a time, where nobody says."""
_FEW = {"fp32": 8, "bf16": 32}
"""Pictures that a thread takes at a time. What a layer makes of 8 stays in a core's cache; where
bf16 is fast, reading the weights for so few would show."""
_MOST_THREADS = 4
"""One at a time can tell torch what to do. Each has several cores where there are more."""


class CpuBatches:
    """Embeds any number of pictures; of a transformer's, each thread has some of its own.

    In one thread's layers all cores would meet several times a layer, and all of them wait whenever
    one is taken away for a moment, as on a machine that reads, decodes and runs Ray beside it.

    Other networks take all pictures together: for few pictures on one core, convolutions go another
    way, whose sums are off by ten times as much.

    Args:
        encoder: on the CPU.
        num_cores: that it may use.
        at_once: most pictures under way, in all threads; None: as is fastest.
    """

    def __init__(self, encoder: Encoder, num_cores: int, at_once: int | None = None) -> None:
        self._encoder = encoder
        if _is_transformer(encoder):
            few = _FEW[encoder.precision]
            most = at_once or num_cores * few
            self._num_threads = min(num_cores, most, _MOST_THREADS)
            self._few = min(few, most // self._num_threads)
        else:
            self._num_threads, self._few = 1, at_once or _TOGETHER
        # Each sets it for itself: OpenMP counts by thread.
        self._threads = ThreadPoolExecutor(
            self._num_threads, "encode", torch.set_num_threads, (num_cores // self._num_threads,)
        )

    def encode(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embed pictures.

        Args:
            pixels: uint8 (n, input_size, input_size, 3), RGB; n may be 0.

        Returns:
            float32 (n, dim), not normalised.

        Raises:
            ValueError: another shape or dtype.
        """
        few = max(1, min(self._few, -(-len(pixels) // self._num_threads)))
        parts = [pixels[first : first + few] for first in range(0, len(pixels), few)]
        encoded = list(self._threads.map(self._encoder.encode, parts))
        return np.concatenate(encoded) if encoded else self._encoder.encode(pixels)


def _is_transformer(encoder: nn.Module) -> bool:
    modules = list(encoder.modules())
    if any(isinstance(module, torch.jit.ScriptModule) for module in modules):
        return False  # nobody knows what is in it
    convolutions = sum(isinstance(module, nn.Conv2d) for module in modules)
    return convolutions <= 1 and any(isinstance(module, nn.LayerNorm) for module in modules)
