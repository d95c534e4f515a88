from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.detectors.search_cases import (
    DEVICES,
    assert_equal,
    brute_force,
    cone,
    names,
    near_duplicates,
    small_tiles,
)
from ufd_ray.detectors import NeighborSearch
from ufd_ray.detectors.search import (
    CentredRows,
    SingleRows,
    StoredRows,
    coarse_rows,
    nearest_rows,
    pool,
    scan,
)
from ufd_ray.detectors.search import rounding as rounding_module
from ufd_ray.detectors.search.coarse_rows import GROUP, STEP, Share, Tile, in_turns
from ufd_ray.detectors.search.products import Products, bounded_products

PRECISIONS = [None, torch.float32, torch.bfloat16, torch.float16]
"""None: the bank's own rows, in float32."""


def coarse(
    bank: StoredRows, labels: NDArray[Any], precision: torch.dtype | None, device: str = "cpu"
) -> SingleRows | CentredRows:
    if precision is None:
        return SingleRows(bank, labels, torch.device(device))
    return CentredRows(bank, labels, precision, torch.device(device))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("dim", "cosine"), [(1, 0.7), (24, 0.5), (768, 0.8), (2048, 0.6)])
def test_no_similarity_lies_outside_its_bounds(
    precision: torch.dtype | None,
    dim: int,
    cosine: float,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_tiles(monkeypatch, 256)
    rng = np.random.default_rng(dim)
    bank = StoredRows(
        np.concatenate([cone(rng, 150, dim, cosine), rng.normal(size=(50, dim))]).astype(np.float32)
    )
    units = bank.on(torch.device(device)).double()
    rows = coarse(bank, np.arange(200) % 2, precision, device)
    queries, seen, used = rows.prepare(units[100:]), [], []
    with bounded_products(torch.device(device)):
        for tile in rows.tiles(100):
            products = Products()(tile.vectors, queries.vectors).float()[: len(tile.rows)]
            found = products + tile.offset[: len(tile.rows), None] + queries.offset
            allowed = tile.slack(queries) + tile.roundoff * products.abs()
            off = (found.double() - units[tile.rows] @ units[100:].T).abs()
            used.append(float((off / allowed).max()))
            seen.extend(tile.rows.tolist())
    assert sorted(seen) == list(range(200))
    assert max(used) <= 1
    if precision in (torch.bfloat16, torch.float16) and dim > 1:
        assert max(used) > 0.05  # bounds that are wider by far would be worth little


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_tile_tells_the_truth_of_its_rows(
    precision: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_tiles(monkeypatch, 256)
    rng = np.random.default_rng(3)
    bank, labels = StoredRows(cone(rng, 300, 40, 0.6)), (np.arange(300) % 5 == 0).astype(np.int8)
    for tile in coarse(bank, labels, precision).tiles(1):
        assert (labels[tile.rows] == tile.label).all()
        assert len(tile.vectors) % GROUP == 0 < len(tile.rows) <= len(tile.vectors)
        assert (tile.vectors[len(tile.rows) :] == tile.vectors[len(tile.rows) - 1]).all()
        assert (tile.offset[:-1] >= tile.offset[1:]).all()


def test_few_queries_have_larger_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    small_tiles(monkeypatch, 256)
    monkeypatch.setattr(coarse_rows, "TILE_PRODUCTS", {"cpu": 256 * 12})
    rng = np.random.default_rng(8)
    bank, labels = StoredRows(cone(rng, 1000, 8, 0.6)), np.zeros(1000, np.int8)
    for precision in PRECISIONS:
        rows, least = coarse(bank, labels, precision), 128 if precision in PRECISIONS[2:] else 64
        for num_queries, multiple in ((1, 12), (4, 3), (7, 1), (1024, 1)):
            tiles = list(rows.tiles(num_queries))
            # Tiles of the bank's own rows are copies, which few queries make no larger.
            most = least * (multiple if precision else 1)
            assert len(tiles) == -(-1000 // most)
            assert max(len(tile.rows) for tile in tiles) <= most
            assert sorted(torch.cat([tile.rows for tile in tiles]).tolist()) == list(range(1000))
            longest = max(tile.length for tile in tiles)
            assert longest == max(tile.length for tile in rows.tiles(1))


def test_the_classes_take_turns() -> None:
    turns = list(in_turns({0: 4 * STEP + 50, 1: STEP + 50}, STEP))
    assert [label for label, _, _ in turns] == [0, 0, 0, 1, 0, 0, 1]
    assert [stop - start for label, start, stop in turns if label == 0] == [STEP] * 4 + [50]
    assert list(in_turns({0: 0, 1: 0}, STEP)) == []


@given(
    st.lists(st.integers(0, 40 * STEP), min_size=2, max_size=2),
    st.integers(1, 12),
    st.integers(1, 5),
)
def test_shares_have_every_row_once_and_as_many_of_each_class(
    counts: list[int], steps: int, num: int
) -> None:
    num_rows = dict(enumerate(counts))
    shares = [list(in_turns(num_rows, steps * STEP, Share(x, num))) for x in range(num)]
    for label, count in num_rows.items():
        tiles = [[(a, b) for name, a, b in share if name == label] for share in shares]
        everything = sorted(tile for some in tiles for tile in some)
        assert [n for tile in everything for n in range(*tile)] == list(range(count))
        assert all(stop - start <= steps * STEP for start, stop in everything)
        held = [sum(stop - start for start, stop in some) for some in tiles]
        rounds = max(len(some) for some in tiles)
        assert max(held) - min(held) <= rounds * STEP


@pytest.mark.parametrize("half", [False, True])
def test_how_the_work_is_cut_never_matters(half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    bank = np.concatenate([near_duplicates(rng), cone(rng, 300, 48, 0.6)])
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    whole = NeighborSearch(bank, labels, ids, half=half).search(bank[500:700], 7, per_class=9)
    for target, value in {
        "neighbors.QUERIES_A_PASS": {"cpu": 150},
        "search.threads._FEWEST": 40,
        "search.nearest_rows.BLOCK": {"cpu": 13},
        "search.coarse_rows.TILE_BYTES": 128,
        "search.coarse_rows.STEP": 32,
        "search.centred_rows.STEP": 32,
        "search.coarse_rows.TILE_PRODUCTS": {"cpu": 0},
        "search.pool._WAITING": 4,
        "search.pool.MOST": 20,
        "search.scan.MOST": 20,
        "search.streaming._QUERIES": 5,
        "search.rescoring._PAIRS": {"cpu": 3},
        "search.unit_rows._CHUNK": {"cpu": 7},
        "search.scan._AHEAD": {"cpu": 1},
    }.items():
        monkeypatch.setattr(f"ufd_ray.detectors.{target}", value)
    cut = NeighborSearch(bank, labels, ids, half=half).search(bank[500:700], 7, per_class=9)
    assert_equal(cut, whole)
    assert cut.counts.num_recomputed > whole.counts.num_recomputed == 0


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("most", [2048, 20])
def test_threads_that_share_the_rows_find_the_same(
    cores: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_tiles(monkeypatch, 256)
    for module in (scan, pool):
        monkeypatch.setattr(module, "MOST", most)
    rng = np.random.default_rng(9)
    bank = np.concatenate([near_duplicates(rng), cone(rng, 300, 48, 0.6)])
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    queries, own = bank[590:630], np.arange(590, 630)
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        search = NeighborSearch(bank, labels, ids)
        found = search.search(queries, 7, leave_out=own, per_class=3)
        again = search.search(queries, 7, leave_out=own, per_class=3)
        assert again.counts == found.counts
    finally:
        torch.set_num_threads(before)
    assert_equal(found, brute_force(bank, labels, ids, queries, 7, own, per_class=3))


@pytest.mark.parametrize("most", [2048, 20])
def test_any_error_within_the_bound_is_harmless(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    bank = near_duplicates(rng)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    expected = brute_force(bank, labels, ids, bank[:40], 5)
    honest, bound = Products.__call__, rounding_module.float32_sum(48)

    def worst(*arguments: Any) -> torch.Tensor:
        products = honest(*arguments)
        signs = torch.from_numpy(rng.choice([-1.0, 1.0], products.shape))
        return products.add_((0.9 * bound * signs).float())

    monkeypatch.setattr(Products, "__call__", worst)
    monkeypatch.setattr(pool, "MOST", most)
    search = NeighborSearch(bank, labels, ids, half=False)
    assert_equal(search.search(bank[:40], 5), expected)
    # The same error with no allowance for it: shows that the test can fail.
    monkeypatch.setattr(Tile, "slack", lambda tile, queries: torch.zeros(len(queries.vectors)))
    try:
        found = search.search(bank[:40], 5).index
    except ValueError:  # fewer rows than are wanted
        return
    assert (found != expected.index).any()


def test_half_precision_without_its_bounds_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    bank = cone(rng, 3000, 48, 0.8)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    queries = cone(rng, 60, 48, 0.8)
    expected = NeighborSearch(bank, labels, ids, half=False).search(queries, 9)
    search = NeighborSearch(bank, labels, ids, half=True)
    assert_equal(search.search(queries, 9), expected)
    monkeypatch.setattr(Tile, "slack", lambda tile, queries: torch.zeros(len(queries.vectors)))
    monkeypatch.setattr(Tile, "roundoff", 0.0)
    assert (search.search(queries, 9).index != expected.index).any()


def test_memory_does_not_grow_with_queries_times_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    bank, queries = cone(rng, 2000, 32, 0.6), cone(rng, 300, 32, 0.6)
    small_tiles(monkeypatch, 1024)
    monkeypatch.setattr(nearest_rows, "BLOCK", {"cpu": 64})
    sizes, honest = [], Products.__call__

    def watched(*arguments: Any) -> torch.Tensor:
        products = honest(*arguments)
        sizes.append(products.numel())
        return products

    monkeypatch.setattr(Products, "__call__", watched)
    labels = np.arange(2000) % 2
    NeighborSearch(bank, labels, names(rng, 2000), half=False).search(queries, 9)
    assert max(sizes) == 256 * 64
    assert sum(sizes) == 300 * (
        8 * 256
    )  # each class has 1,000 rows: 3 whole tiles and a padded one
