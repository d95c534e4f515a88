"""An encoder on a GPU that does not wait: pixels are copied while others are computed on."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ufd_ray.encoders.batch_size import try_batch_sizes
from ufd_ray.encoders.batches import Pending, Pixels, in_batches
from ufd_ray.encoders.encoder import Encoder
from ufd_ray.errors import ClusterError


@dataclass(frozen=True)
class _Slot:
    """Pinned memory that a batch is copied from, and when that copy was over."""

    pixels: Tensor
    copied: torch.cuda.Event


class GpuBatches:
    """Embeds any number of pictures, whichever thread they come from.

    Bytes cross the bus, never floats: pictures are normalised on the GPU. They go through pinned
    memory, over a stream of their own, and so does what comes back.

    Args:
        encoder: on a GPU.
        at_once: pictures in a batch; None: what a short trial finds fastest, once.

    Attributes:
        at_once: pictures in a batch.

    Raises:
        ClusterError: the GPU has not the memory for the smallest batch.
    """

    def __init__(self, encoder: Encoder, at_once: int | None = None) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()
        self._copies = torch.cuda.Stream(encoder.device)  # type: ignore[no-untyped-call]
        self.at_once = at_once or try_batch_sizes(encoder, encoder.input_size, encoder.device)
        shape = (self.at_once, encoder.input_size, encoder.input_size, 3)
        self._slots = [
            _Slot(torch.empty(shape, dtype=torch.uint8, pin_memory=True), _event())
            for _ in range(2)
        ]

    def encode(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embed pictures.

        Args:
            pixels: uint8 (n, input_size, input_size, 3), RGB; n may be 0.

        Returns:
            float32 (n, dim), not normalised.

        Raises:
            ValueError: another shape or dtype.
            ClusterError: a batch does not fit into the GPU's memory.
        """
        self._encoder.check_pixels(pixels)
        return in_batches(pixels, self.at_once, self._encoder.dim, self._submit)

    def _submit(self, pixels: Pixels, size: int) -> Pending:
        with self._lock:
            slot = self._slots[0]
            self._slots.reverse()
            slot.copied.synchronize()  # before its memory is written over
            staged = slot.pixels[:size].numpy()
            staged[: len(pixels)] = pixels
            staged[len(pixels) :] = 0
            compute = torch.cuda.current_stream(self._encoder.device)
            with torch.cuda.stream(self._copies):
                there = slot.pixels[:size].to(self._encoder.device, non_blocking=True)
                slot.copied.record(self._copies)
            compute.wait_event(slot.copied)
            there.record_stream(compute)  # its memory is not to be given away before
            try:
                found = self._encoder(there)
            except torch.OutOfMemoryError as error:
                raise ClusterError(
                    f"the GPU has not the memory for {size} images at once; give a smaller"
                    " --batch-size, or leave it out"
                ) from error
            # Queued before the next batch: whoever waits for this one does not wait for that.
            here = torch.empty(found.shape, pin_memory=True)
            here.copy_(found, non_blocking=True)
            done = _event()
            done.record(compute)

        def wait() -> npt.NDArray[np.float32]:
            done.synchronize()
            embeddings: npt.NDArray[np.float32] = here.numpy()[: len(pixels)]
            return embeddings

        return wait


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]
