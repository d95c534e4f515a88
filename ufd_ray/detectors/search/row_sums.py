"""Sums along the rows of a matrix that have the same bits everywhere."""

from __future__ import annotations

import numpy as np
import torch

_BLOCK = 128
"""Longer rows NumPy halves."""
_LANES = 8
"""Running sums that it keeps of a row that is not halved."""


def sum_rows(terms: torch.Tensor) -> torch.Tensor:
    """Add up every row in the order of NumPy's sum along contiguous rows, which is pairwise.

    That order depends on the length of a row only: not on the other rows, nor on the device.

    Args:
        terms: (m, n) floating-point numbers, contiguous.

    Returns:
        (m,), in the same precision.
    """
    if terms.device.type == "cpu":
        return torch.from_numpy(np.add.reduce(terms.numpy(), axis=1))
    return by_columns(terms)


def by_columns(terms: torch.Tensor) -> torch.Tensor:
    """The same, (m,), by additions of columns, which IEEE 754 rounds alike on all devices."""
    return _pairwise(terms) + 0.0  # NumPy begins with a zero, and negative zeros become positive


def _pairwise(terms: torch.Tensor) -> torch.Tensor:
    # Source: `pairwise_sum` in NumPy's loops_utils.h.src.
    num = terms.shape[1]
    if num > _BLOCK:
        half = num // 2 - num // 2 % _LANES
        if 2 * half == num and terms.is_contiguous():  # both at once: a GPU minds calls, not sizes
            halves = _pairwise(terms.view(-1, half)).view(-1, 2)
            return halves[:, 0] + halves[:, 1]
        return _pairwise(terms[:, :half]) + _pairwise(terms[:, half:])
    whole = num - num % _LANES
    total = terms.new_zeros(len(terms))
    if whole:
        lanes = terms[:, :_LANES]
        for start in range(_LANES, whole, _LANES):
            lanes = lanes + terms[:, start : start + _LANES]
        while lanes.shape[1] > 1:
            lanes = lanes[:, ::2] + lanes[:, 1::2]
        total = lanes[:, 0]
    for column in range(whole, num):
        total = total + terms[:, column]
    return total
