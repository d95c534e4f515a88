"""The similarity of single pairs: in float64, which alone decides, and in float32, which sieves."""

from __future__ import annotations

import torch

from ufd_ray.detectors.search.row_sums import sum_rows
from ufd_ray.detectors.search.unit_rows import UnitRows

_PAIRS = {"cpu": 256, "cuda": 2**16}
"""Pairs whose vectors are copied at a time: on a CPU few enough for a core's cache."""


def exact_similarity(
    bank: UnitRows, row: torch.Tensor, units: torch.Tensor, query: torch.Tensor
) -> torch.Tensor:
    """Similarity as it is defined: the float64 sum, row by row, over two unit vectors.

    Args:
        bank: n vectors.
        row: (m,) which of them.
        units: (q, d) float64 unit vectors.
        query: (m,) which of them.

    Returns:
        (m,) float64; of a pair the same bits, whatever the other pairs and the device are.
    """
    similarity = torch.empty(len(row), dtype=torch.float64, device=row.device)
    for part in _parts(row):
        terms = bank[row[part]].double().mul_(units[query[part]])
        similarity[part] = sum_rows(terms)
    return similarity


def single_similarity(
    bank: UnitRows, row: torch.Tensor, units: torch.Tensor, query: torch.Tensor
) -> torch.Tensor:
    """The same in float32, (m,), within `float32_pairwise` of it."""
    similarity = torch.empty(len(row), device=row.device)
    single = units.float()
    for part in _parts(row):
        similarity[part] = sum_rows(bank[row[part]].single().mul_(single[query[part]]))
    return similarity


def _parts(row: torch.Tensor) -> list[slice]:
    size = _PAIRS[row.device.type]
    return [slice(start, start + size) for start in range(0, len(row), size)]
