from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.detectors.search_cases import cone, scaled_copies
from ufd_ray.detectors.search import UnitRows
from ufd_ray.detectors.search.rescoring import exact_similarity, single_similarity
from ufd_ray.detectors.search.rounding import float32_pairwise


@pytest.mark.parametrize("dim", [1, 7, 127, 129, 768, 1000, 4096])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_float32_sums_keep_their_bound(dim: int, dtype: Any) -> None:
    rng = np.random.default_rng(dim)
    bank = UnitRows(cone(rng, 60, dim, 0.9).astype(dtype))
    units = bank.double(slice(None))
    row, query = (grid.reshape(-1) for grid in np.indices((60, 60)))
    exact = exact_similarity(bank, row, units, query)
    off = np.abs(single_similarity(bank, row, units, query) - exact)
    assert off.max() <= float32_pairwise(dim) < 4e-6


def test_lengths_near_the_ends_of_float32() -> None:
    rng = np.random.default_rng(0)
    rows = scaled_copies(rng)
    rows[0], rows[1], rows[2] = 3e38, 1e-38, 2e-44
    bank = UnitRows(rows)
    units = bank.double(slice(0, 300))
    row, query = np.arange(300), np.arange(300)
    np.testing.assert_allclose(exact_similarity(bank, row, units, query), 1, rtol=1e-15)
    np.testing.assert_allclose(single_similarity(bank, row, units, query), 1, atol=4e-6)


def test_a_pair_has_the_same_bits_in_any_company() -> None:
    rng = np.random.default_rng(1)
    bank = UnitRows(cone(rng, 900, 100, 0.6))
    units = bank.double(slice(0, 50))
    row, query = rng.integers(0, 900, 3000), rng.integers(0, 50, 3000)
    together = exact_similarity(bank, row, units, query)
    expected = [
        float((bank.double([r]) * units[q]).sum(axis=1)[0]) for r, q in zip(row, query, strict=True)
    ]
    assert together.tolist() == expected
