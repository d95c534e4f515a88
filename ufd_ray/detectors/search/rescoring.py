"""The similarity of single pairs: in float64, which alone decides, and in float32, which sieves."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.search.unit_rows import UnitRows, shared, to_unit_length

_PAIRS = 256
"""Pairs whose vectors are copied at a time: few enough for a core's cache."""


def exact_similarity(
    bank: UnitRows,
    row: NDArray[np.int64],
    queries: NDArray[np.float64],
    query: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Similarity as it is defined: the float64 sum, row by row, over two unit vectors.

    Args:
        bank: n vectors.
        row: (m,) which of them.
        queries: (q, d) float64 unit vectors.
        query: (m,) which of them.

    Returns:
        (m,) float64; of a pair the same bits, whatever the other pairs are.
    """
    similarity = np.empty(len(row))
    vectors, units = shared(bank.vectors), torch.from_numpy(queries)
    norms = torch.from_numpy(bank.norms[row])
    products = torch.empty((_PAIRS, bank.dim), dtype=torch.float64)
    for start in range(0, len(row), _PAIRS):
        part = slice(start, start + _PAIRS)
        rows, of = torch.from_numpy(row[part]), torch.from_numpy(query[part])
        some = products[: len(rows)]
        torch.div(vectors[rows], norms[part, None], out=some).mul_(units[of])
        # NumPy adds a contiguous row in one order, which tests hold; torch's may hang on the shape.
        np.add.reduce(some.numpy(), axis=1, out=similarity[part])
    return similarity


def single_similarity(
    bank: UnitRows,
    row: NDArray[np.int64],
    queries: NDArray[np.float64],
    query: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The same in float32, within `float32_pairwise` of it."""
    similarity = np.empty(len(row), np.float32)
    vectors, units = shared(bank.vectors), torch.from_numpy(queries.astype(np.float32))
    norms = bank.norms[row]
    products = torch.empty((_PAIRS, bank.dim), dtype=torch.float32)
    for start in range(0, len(row), _PAIRS):
        part = slice(start, start + _PAIRS)
        rows, of = torch.from_numpy(row[part]), torch.from_numpy(query[part])
        some = to_unit_length(vectors[rows], norms[part], out=products[: len(rows)])
        np.add.reduce(some.mul_(units[of]).numpy(), axis=1, out=similarity[part])
    return similarity
