from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from tests.unit.detectors.search_cases import (
    HARD,
    assert_equal,
    brute_force,
    cone,
    names,
    near_duplicates,
    small_tiles,
)
from ufd_ray.detectors import (
    NeighborSearch,
    SearchCounts,
    margin,
    mean_margin,
    merge_neighbors,
    rank_of,
    search_bytes,
    vote,
)
from ufd_ray.detectors.search import pool
from ufd_ray.detectors.search.products import Products
from ufd_ray.errors import StorageError


@pytest.mark.parametrize("make", HARD)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("k", "per_class"), [(0, 1), (1, 1), (9, 9), (50, 1), (4, 60)])
def test_search_equals_float64_brute_force(
    make: Any, dtype: Any, half: bool, k: int, per_class: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_tiles(monkeypatch, 384)  # several, the last one partial
    rng = np.random.default_rng(k)
    bank = make(rng)
    if dtype == np.float16:
        bank = np.clip(bank, -3e4, 3e4)
        bank[~bank.astype(dtype).any(axis=1)] = 1
    bank = bank.astype(dtype)
    labels, ids = rng.integers(0, 2, len(bank)).astype(np.int8), names(rng, len(bank))
    # Some rows of the bank themselves, and some vectors close to others.
    own = rng.integers(0, len(bank), 24)
    queries = bank[own]
    queries[12:] = (queries[12:] * (1 + rng.normal(size=queries[12:].shape) / 9)).astype(dtype)
    search = NeighborSearch(bank, labels, ids, half=half)
    found = search.search(queries, k, per_class=per_class)
    assert_equal(found, brute_force(bank, labels, ids, queries, k, per_class=per_class))
    assert found.counts.num_queries == 24
    found = search.search(queries, k, leave_out=own, per_class=per_class)
    assert_equal(found, brute_force(bank, labels, ids, queries, k, own, per_class))


def counts_of(
    bank: Any, queries: Any, half: bool, k: int = 9, labels: Any = None
) -> tuple[int, int, int]:
    labels = np.arange(len(bank)) % 2 if labels is None else labels
    ids = names(np.random.default_rng(0), len(bank))
    found = NeighborSearch(bank, labels, ids, half=half).search(queries, k)
    assert_equal(found, brute_force(bank, labels, ids, queries, k))
    counts = found.counts
    assert counts.num_certified + counts.num_recomputed == counts.num_queries == len(queries)
    return counts.num_certified, counts.num_recomputed, counts.num_settled


@pytest.mark.parametrize("half", [False, True])
def test_how_queries_are_settled(half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    alone = cone(rng, 400, 48, 0.6)
    *searched, settled = counts_of(alone, cone(rng, 30, 48, 0.6), half)
    assert (searched, settled < 10) == ([30, 0], True)  # gaps below 1e-5 are few, and there
    twins = np.repeat(alone, 2, axis=0)
    assert counts_of(twins, cone(rng, 30, 48, 0.6), half) == (30, 0, 30)
    # More near-duplicates than a pool holds: by the hundred for half of the queries.
    monkeypatch.setattr(pool, "MOST", 64)
    many = np.concatenate([near_duplicates(rng), alone])
    certified, recomputed, settled = counts_of(many, many[590:610], half)
    assert certified <= 10 <= settled <= recomputed


def test_counts_add_up() -> None:
    assert SearchCounts(3, 2, 1, 0) + SearchCounts(5, 5, 0, 2) == SearchCounts(8, 7, 1, 2)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 300), max_size=6),
    k=st.integers(1, 60),
    per_class=st.integers(1, 60),
    half=st.booleans(),
    case=st.sampled_from(HARD),
)
def test_any_sharding_equals_the_whole(
    seed: int, cuts: list[int], k: int, per_class: int, half: bool, case: Any
) -> None:
    rng = np.random.default_rng(seed)
    bank = case(rng)[:300]
    labels, ids = rng.integers(0, 2, len(bank)).astype(np.int8), names(rng, len(bank))
    queries = bank[:20]
    whole = NeighborSearch(bank, labels, ids, half=half).search(queries, k, per_class=per_class)
    parts = []  # of 0 rows, too, and of fewer than k
    for rows in np.split(rng.permutation(len(bank)), sorted(min(cut, len(bank)) for cut in cuts)):
        shard = NeighborSearch(bank[rows], labels[rows], ids[rows], half=half)
        found = shard.search(queries, min(k, len(rows)), per_class=per_class)
        parts.append(replace(found, index=rows[found.index]))
    merged = merge_neighbors(parts, rank_of(labels, ids), k)
    assert_equal(merged, whole)
    assert merged.counts.num_queries == 20


def test_a_search_survives_pickling_without_a_copy() -> None:
    rng = np.random.default_rng(7)
    bank, ids = cone(rng, 500, 32, 0.6), names(rng, 500)
    search = NeighborSearch(bank, np.arange(500) % 2, ids, half=True)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(search, protocol=5, buffer_callback=buffers.append)
    assert len(data) < 10_000
    read_only = [bytes(buffer) for buffer in buffers]
    again = pickle.loads(data, buffers=read_only)
    assert_equal(again.search(bank[:50], 9), search.search(bank[:50], 9))
    held = sum(map(len, read_only))  # the copy that is scanned in half of what is counted
    assert 0.6 < held / search_bytes(500, 32, "float32") < 1


@pytest.mark.parametrize("label", [0, 1])
def test_bank_of_one_class_has_no_nearest_of_the_other(label: int) -> None:
    rng = np.random.default_rng(0)
    bank, ids = cone(rng, 80, 16, 0.6), names(rng, 80)
    labels = np.full(80, label, np.int8)
    found = NeighborSearch(bank, labels, ids).search(bank[:5], 3)
    assert_equal(found, brute_force(bank, labels, ids, bank[:5], 3))
    assert np.isnan(found.fake_similarity if label == 0 else found.real_similarity).all()
    assert np.isnan(margin(found)).all()
    assert (vote(found, labels) == label).all()


@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_k_may_be_the_whole_bank(n: int) -> None:
    rng = np.random.default_rng(n)
    bank, ids = cone(rng, n, 8, 0.6), names(rng, n)
    labels = rng.integers(0, 2, n).astype(np.int8)
    search = NeighborSearch(bank, labels, ids)
    found = search.search(bank[:3], n)
    assert_equal(found, brute_force(bank, labels, ids, bank[:3], n))
    with pytest.raises(ValueError, match=rf"from 0 to the {n} rows of the bank, but is {n + 1}"):
        search.search(bank[:3], n + 1)
    with pytest.raises(ValueError, match=f"{n - 1} others of the rows of the bank, but is {n}"):
        search.search(bank[:1], n, leave_out=np.array([0]))
    with pytest.raises(ValueError, match="but is -1"):
        search.search(bank[:3], -1)


def test_an_empty_bank_has_no_neighbours() -> None:
    search = NeighborSearch(np.empty((0, 8), np.float32), np.empty(0, np.int8), [])
    found = search.search(np.ones((3, 8), np.float32), 0)
    assert found.index.shape == found.similarity.shape == (3, 0)
    assert np.isnan([found.real_similarity, found.fake_similarity]).all()


@pytest.mark.parametrize(
    "rows", [[0, 1], [0, 1, 4], [0, 1, -2], [0.0, 1.0, 2.0], [[0], [1], [2]], 1]
)
def test_rows_to_leave_out_that_do_not_fit_are_refused(rows: Any) -> None:
    search = NeighborSearch(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), list("abcd"))
    with pytest.raises(ValueError, match="leave_out must be a row from -1 to 3 for each of 3"):
        search.search(np.eye(4, dtype=np.float32)[:3], 2, leave_out=np.array(rows))


def test_no_queries_give_no_neighbours() -> None:
    search = NeighborSearch(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), list("abcd"))
    found = search.search(np.empty((0, 4), np.float32), 2)
    assert found.index.shape == found.similarity.shape == (0, 2)
    assert found.real_similarity.shape == margin(found).shape == (0,)
    assert vote(found, np.array([0, 1, 0, 1])).shape == (0,)


def test_similarity_is_the_cosine_to_the_last_digits() -> None:
    rng = np.random.default_rng(1)
    bank = cone(rng, 50, 768, 0.7)
    found = NeighborSearch(bank, np.arange(50) % 2, names(rng, 50)).search(bank[:10], 50)
    for query, index, similarity in zip(bank[:10], found.index, found.similarity, strict=True):
        a, b = [float(x) for x in query], [float(x) for x in bank[index[20]]]
        dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
        cosine = dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(x * x for x in b))
        assert similarity[20] == pytest.approx(cosine, abs=1e-15)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 90), max_size=6))
def test_the_batch_of_a_query_never_matters(seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    bank = near_duplicates(rng)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    search = NeighborSearch(bank, labels, ids, half=bool(seed % 2))
    queries = cone(rng, 90, 48, 0.6)
    queries[:45] = bank[:45] * np.float32(1.5)
    whole = search.search(queries, 5, per_class=4)
    order = rng.permutation(90)
    parts = [search.search(part, 5, per_class=4) for part in np.split(queries[order], sorted(cuts))]
    for name in ("index", "similarity", "real_similarity", "fake_similarity"):
        again = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(again, getattr(whole, name)[order])
    means = np.concatenate([mean_margin(part, 4) for part in parts])
    np.testing.assert_array_equal(means, mean_margin(whole, 4)[order])


def test_fast_products_elsewhere_in_the_process_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    bank = cone(rng, 900, 256, 0.8)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    expected = brute_force(bank, labels, ids, bank[:20], 9)
    before, used, product = torch.get_float32_matmul_precision(), [], Products.__call__

    def watched(*arguments: Any) -> torch.Tensor:
        used.append(torch.backends.mkldnn.matmul.fp32_precision)
        return product(*arguments)

    monkeypatch.setattr(Products, "__call__", watched)  # not every processor has faster products
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = NeighborSearch(bank, labels, ids).search(bank[:20], 9)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert set(used) == {"ieee"}
    assert_equal(found, expected)


def openblas_threads() -> list[int]:
    return [one["num_threads"] for one in threadpool_info() if one["internal_api"] == "openblas"]


def test_searches_at_the_same_time_leave_the_process_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(9)
    bank = cone(rng, 2000, 64, 0.8)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    search, precision = NeighborSearch(bank, labels, ids), torch.get_float32_matmul_precision()
    expected = search.search(bank[:300], 9)
    used, honest = set(), Products.__call__

    def watched(*arguments: Any) -> torch.Tensor:
        used.add(torch.backends.mkldnn.matmul.fp32_precision)  # type: ignore[attr-defined]
        return honest(*arguments)

    monkeypatch.setattr(Products, "__call__", watched)
    before = openblas_threads()
    torch.set_float32_matmul_precision("medium")
    try:
        with ThreadPoolExecutor(4) as executor:
            found = list(executor.map(lambda _: search.search(bank[:300], 9), range(12)))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(precision)
    assert used == {"ieee"}
    assert openblas_threads() == before
    for one in found:
        assert_equal(one, expected)


def test_a_tie_is_real_and_then_by_image_id() -> None:
    bank = np.array([[2, 0], [2, 0], [2, 0], [2, 0], [0, 1]], np.float32)
    search = NeighborSearch(bank, np.array([1, 0, 1, 0, 0]), ["a", "d", "b", "c", "e"])
    found = search.search(np.array([[5, 0]], np.float32), 5)
    assert found.index.tolist() == [[3, 1, 0, 2, 4]]
    assert margin(found).tolist() == [0.0]


@pytest.mark.parametrize(
    ("value", "what"), [(np.nan, "NaN or infinity"), (-np.inf, "NaN or infinity"), (0, "zeros")]
)
def test_unusable_embedding_is_refused_by_name(value: float, what: str) -> None:
    bank = np.ones((5000, 4), np.float32)
    bank[[4321, 4400]] = value
    ids = [f"id{number}" for number in range(5000)]
    with pytest.raises(StorageError, match=rf"image id4321 has .*{what}.*2 of 5000"):
        NeighborSearch(bank, np.zeros(5000, np.int8), ids)
    search = NeighborSearch(bank[:4000], np.zeros(4000, np.int8), ids[:4000])
    with pytest.raises(ValueError, match="row 21 is zero or not finite"):
        search.search(bank[4300:4350], 1)


def test_other_labels_are_refused_by_name() -> None:
    with pytest.raises(StorageError, match="image b has a label"):
        NeighborSearch(np.ones((2, 2), np.float32), np.array([0, -1], np.int8), ["a", "b"])


def test_shapes_that_do_not_fit_are_refused() -> None:
    ones = np.ones((3, 2), np.float32)
    for labels, ids in (([0, 1], list("abc")), ([0, 1, 1], list("ab"))):
        with pytest.raises(ValueError, match="as many rows"):
            NeighborSearch(ones, np.array(labels), ids)
    with pytest.raises(ValueError, match="float32 or float16 matrix"):
        NeighborSearch(ones.astype(np.float64), np.zeros(3), list("abc"))  # type: ignore[arg-type]
    search = NeighborSearch(ones, np.zeros(3, np.int8), list("abc"))
    with pytest.raises(ValueError, match="queries have 5 columns, the bank has 2"):
        search.search(np.ones((1, 5), np.float32), 1)
    with pytest.raises(ValueError, match=r"float32 \(2,\)"):
        search.search(np.ones(2, np.float32), 1)


def test_nothing_decides_between_two_rows_of_one_name() -> None:
    rows = np.eye(4, dtype=np.float32)
    with pytest.raises(StorageError, match="image b has the image_id of another of its label"):
        NeighborSearch(rows, np.array([0, 1, 1, 1]), ["a", "b", "c", "b"])
    NeighborSearch(rows, np.array([0, 1, 0, 1]), ["a", "b", "b", "c"])  # labels decide


def test_read_only_embeddings_are_not_copied() -> None:
    bank = np.eye(4, dtype=np.float32)
    bank.setflags(write=False)
    search = NeighborSearch(bank, np.array([0, 0, 1, 1]), list("abcd"))
    assert np.shares_memory(search._bank.rows.on(torch.device("cpu")).vectors, bank)
    assert search.search(bank, 1).index.ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.gpu
@pytest.mark.parametrize("make", HARD)
@pytest.mark.parametrize("half", [False, True])
def test_the_device_never_matters(make: Any, half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    bank = make(rng)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    own = rng.integers(0, len(bank), 200)
    here = NeighborSearch(bank, labels, ids)
    for most in (pool.MOST, 20):  # with few, crowded queries are searched again
        monkeypatch.setattr(pool, "MOST", most)
        there = NeighborSearch(bank, labels, ids, device="cuda", half=half)
        found = there.search(bank[:200], 9, per_class=7)
        assert_equal(found, here.search(bank[:200], 9, per_class=7))
        found = there.search(bank[own], 9, leave_out=own)
        assert_equal(found, here.search(bank[own], 9, leave_out=own))
