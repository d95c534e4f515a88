"""Any number of pictures in batches of few sizes, two of them under way at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Pending = Callable[[], npt.NDArray[np.float32]]
"""Waits for a batch and gives its embeddings."""
Submit = Callable[[Pixels, int], Pending]
"""Begins a batch, filled up to so many pictures, without waiting for it."""

STEPS = 8
"""Sizes that batches come in: eighths of the largest."""


def filled_up(num_images: int, at_once: int) -> int:
    """The size of the batch that so many pictures are computed in.

    Kernels are chosen by shape, and memory is laid out for it: so shapes are few. Of a batch, less
    than an eighth is computed in vain.

    Args:
        num_images: from 1 to `at_once`.
        at_once: the largest batch.
    """
    step = -(-at_once // STEPS)
    return min(at_once, -(-num_images // step) * step)


def in_batches(pixels: Pixels, at_once: int, dim: int, submit: Submit) -> npt.NDArray[np.float32]:
    """Embed pictures, each batch begun before the one before it is waited for.

    Args:
        pixels: uint8 (n, size, size, 3); n may be 0.
        at_once: the largest batch.
        dim: numbers in an embedding.
        submit: takes a batch and the size that it is to be filled up to.

    Returns:
        float32 (n, dim), in the order of the pictures.
    """
    embeddings = np.zeros((len(pixels), dim), np.float32)
    before: tuple[slice, Pending] | None = None
    for first in range(0, len(pixels), at_once):
        some = pixels[first : first + at_once]
        pending = submit(some, filled_up(len(some), at_once))
        if before is not None:
            embeddings[before[0]] = before[1]()
        before = slice(first, first + len(some)), pending
    if before is not None:
        embeddings[before[0]] = before[1]()
    return embeddings
