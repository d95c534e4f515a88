"""What both ways of fitting a probe share: rows spread over workers, and sums over all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, REAL

AllReduce = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Sums a flat float64 vector over all workers and gives every worker the same bits.

All workers call it equally often, with vectors of equal length: whatever decides how often rests
on sums that it returned, never on something that one worker alone knows."""

CHUNK_ROWS = 2048
"""Rows whose float64 copies are in memory at a time."""


def identity(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The `AllReduce` of a worker that is alone."""
    return vector


def tensor_of(rows: NDArray[np.floating]) -> torch.Tensor:
    """The rows as a tensor: the same memory, where a tensor can lie in it."""
    usable = rows.flags.writeable and min(rows.strides, default=0) >= 0
    return torch.from_numpy(rows if usable else rows.copy())


def count_rows(
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    all_reduce: AllReduce,
    *,
    what: str = "training",
) -> tuple[int, int]:
    """Count the real and the fake rows of all workers, and refuse rows that nothing can fit.

    The faults are counted over all workers first, so that all refuse together: one that raised
    alone would leave the others waiting for its part of the next sum.

    Args:
        embeddings: (n, d), this worker's rows; n may be 0.
        labels: (n,), 0 real, 1 fake.
        all_reduce: sum over the workers.
        what: what the rows are for, as errors name it.

    Returns:
        Numbers of real and of fake rows, both at least 1.

    Raises:
        ValueError: this worker's shapes do not fit.
        SettingsError: rows are not finite, labels are neither 0 nor 1, or a class has no row.
    """
    if embeddings.ndim != 2 or labels.shape != (len(embeddings),):
        raise ValueError(f"embeddings {embeddings.shape} and labels {labels.shape} do not fit")
    bad = 0
    for start in range(0, len(embeddings), CHUNK_ROWS):
        rows = embeddings[start : start + CHUNK_ROWS]
        # A sum is quick and never finite where a number is not; where numbers are so large that
        # only their sum is infinite, the rows themselves are looked at.
        if not tensor_of(rows).sum(dtype=torch.float32).isfinite():
            bad += int(np.count_nonzero(~np.isfinite(rows).all(axis=1)))
    real, fake = np.count_nonzero(labels == REAL), np.count_nonzero(labels == FAKE)
    mine = np.array([len(labels), bad, real, fake], np.float64)
    total, num_bad, num_real, num_fake = (int(count) for count in all_reduce(mine))
    if num_bad:
        raise SettingsError(
            f"{num_bad} of {total} {what} embeddings have NaN or infinity: leave them out"
        )
    if num_real + num_fake < total:
        raise SettingsError(
            f"{total - num_real - num_fake} of {total} {what} labels are neither {REAL} nor {FAKE}"
        )
    if not (num_real and num_fake):
        raise SettingsError(
            f"{what} needs images of both classes, got {num_real} real and {num_fake} fake"
        )
    return num_real, num_fake
