from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.unit.detectors.search_cases import DEVICES, cone, scaled_copies
from ufd_ray.detectors.search import UnitRows
from ufd_ray.detectors.search.rescoring import exact_similarity, single_similarity
from ufd_ray.detectors.search.rounding import float32_pairwise
from ufd_ray.detectors.search.row_sums import by_columns, sum_rows


def seen(rows: NDArray[Any], device: str = "cpu") -> UnitRows:
    return UnitRows.of(torch.from_numpy(rows).to(device))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dim", [1, 7, 127, 129, 768, 1000, 4096])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_float32_sums_keep_their_bound(dim: int, dtype: Any, device: str) -> None:
    rng = np.random.default_rng(dim)
    bank = seen(cone(rng, 60, dim, 0.9).astype(dtype), device)
    grids = np.indices((60, 60)).reshape(2, -1)
    row, query = (torch.from_numpy(grid).to(device) for grid in grids)
    exact = exact_similarity(bank, row, bank.double(), query)
    off = (single_similarity(bank, row, bank.double(), query) - exact).abs()
    assert off.max() <= float32_pairwise(dim) < 4e-6


def test_lengths_near_the_ends_of_float32() -> None:
    rng = np.random.default_rng(0)
    rows = scaled_copies(rng)
    rows[0], rows[1], rows[2] = 3e38, 1e-38, 2e-44
    bank, same = seen(rows[:300]), torch.arange(300)
    found = exact_similarity(bank, same, bank.double(), same)
    np.testing.assert_allclose(found, 1, rtol=1e-15)
    np.testing.assert_allclose(single_similarity(bank, same, bank.double(), same), 1, atol=4e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_a_pair_has_the_same_bits_in_any_company(device: str) -> None:
    rng = np.random.default_rng(1)
    rows = cone(rng, 900, 100, 0.6)
    units = rows.astype(np.float64) / np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1))[:, None]
    row, query = rng.integers(0, 900, 3000), rng.integers(0, 50, 3000)
    bank = seen(rows, device)
    pairs = (torch.from_numpy(numbers).to(device) for numbers in (row, query))
    where, of = pairs
    together = exact_similarity(bank, where, bank[:50].double(), of)
    expected = [
        float((units[r : r + 1] * units[q]).sum(axis=1)[0]) for r, q in zip(row, query, strict=True)
    ]
    assert together.tolist() == expected


@pytest.mark.parametrize("num", [*range(1, 18), 127, 128, 129, 136, 255, 256, 257, 768, 1000, 4097])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gpu_adds_in_the_order_of_numpy(num: int, dtype: torch.dtype) -> None:
    terms = torch.from_numpy(np.random.default_rng(num).normal(size=(40, num))).to(dtype)
    expected = terms.numpy().sum(axis=1)
    np.testing.assert_array_equal(sum_rows(terms), expected)
    np.testing.assert_array_equal(by_columns(terms), expected)
    negative_zeros = torch.full((2, num), -0.0, dtype=dtype)
    assert not sum_rows(negative_zeros).signbit().any()
    assert not by_columns(negative_zeros).signbit().any()
