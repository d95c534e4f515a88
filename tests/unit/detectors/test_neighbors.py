from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ufd_ray.detectors import Neighbors, NeighborSearch, exact_search, margin, vote
from ufd_ray.errors import StorageError

Matrix = NDArray[np.float32] | NDArray[np.float16]


def names(rng: np.random.Generator, n: int) -> NDArray[np.str_]:
    """Ids whose order is not the rows' order."""
    return np.array([f"{number:032x}" for number in rng.permutation(n)], dtype=np.str_)


def cone(rng: np.random.Generator, n: int, dim: int, cosine: float) -> NDArray[np.float32]:
    """Vectors of norm about 18 that share a direction, as CLIP's do: mean cosine as asked."""
    axis = np.ones(dim) / math.sqrt(dim)
    spread = rng.normal(size=(n, dim)) * math.sqrt((1 - cosine) / cosine / dim)
    return (18 * math.sqrt(cosine) * (axis + spread)).astype(np.float32)


def brute_force(
    bank: Matrix, labels: NDArray[Any], ids: NDArray[np.str_], queries: Matrix, k: int
) -> Neighbors:
    """Every similarity in float64, every order by Python's sort."""
    unit = bank.astype(np.float64)
    unit /= np.sqrt((unit * unit).sum(axis=1))[:, None]
    index, similarity, nearest = [], [], []
    for query in queries.astype(np.float64):
        query = query / np.sqrt((query * query).sum())
        cosines = [float((row * query).sum()) for row in unit]
        order = sorted(range(len(bank)), key=lambda i: (-cosines[i], labels[i], ids[i]))[:k]
        index.append(order)
        similarity.append([cosines[i] for i in order])
        of_class = [
            [c for c, label in zip(cosines, labels, strict=True) if label == x] for x in (0, 1)
        ]
        nearest.append([max(cosines) if cosines else math.nan for cosines in of_class])
    return Neighbors(
        np.array(index, np.int64), np.array(similarity), *np.array(nearest, np.float64).T
    )


def assert_equal(found: Neighbors, expected: Neighbors) -> None:
    """Bit for bit."""
    for name in ("index", "similarity", "real_similarity", "fake_similarity"):
        a, b = getattr(found, name), getattr(expected, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=name)


def random_bank(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(size=(700, 24)).astype(np.float32)


def cone_bank(rng: np.random.Generator) -> NDArray[np.float32]:
    return np.concatenate([cone(rng, 400, 96, 0.5), cone(rng, 400, 96, 0.8)])


def near_duplicates(rng: np.random.Generator) -> NDArray[np.float32]:
    """Groups of 200 rows, whose similarities differ by less than float32 can tell."""
    base = np.repeat(cone(rng, 3, 48, 0.6), 200, axis=0)
    return (base * (1 + 3e-7 * rng.normal(size=base.shape))).astype(np.float32)


def exact_ties(rng: np.random.Generator) -> NDArray[np.float32]:
    """Every row eight times, with labels drawn for each: ties within and across classes."""
    return rng.permutation(np.repeat(cone(rng, 60, 32, 0.6), 8, axis=0))


def scaled_copies(rng: np.random.Generator) -> NDArray[np.float32]:
    """Directions in many lengths, near the ends of float32: products of raw rows would fail."""
    lengths = 10.0 ** rng.uniform(-36, 36, size=(400, 1))
    return (rng.normal(size=(400, 16)) * lengths).astype(np.float32)


@pytest.mark.parametrize(
    "make", [random_bank, cone_bank, near_duplicates, exact_ties, scaled_copies]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("k", [1, 3, 9, 50])
def test_search_equals_float64_brute_force(
    make: Any, dtype: Any, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact_search, "TILE_ROWS", 97)  # several tiles, the last one partial
    rng = np.random.default_rng(k)
    bank = make(rng)
    if dtype == np.float16:
        bank = np.clip(bank, -3e4, 3e4)
        bank[~bank.astype(dtype).any(axis=1)] = 1
    bank = bank.astype(dtype)
    labels, ids = rng.integers(0, 2, len(bank)).astype(np.int8), names(rng, len(bank))
    # Some rows of the bank themselves, and some vectors close to others.
    queries = bank[rng.integers(0, len(bank), 24)]
    queries[12:] = (queries[12:] * (1 + rng.normal(size=queries[12:].shape) / 9)).astype(dtype)
    found = NeighborSearch(bank, labels, ids).search(queries, k)
    assert_equal(found, brute_force(bank, labels, ids, queries, k))


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
    with pytest.raises(ValueError, match=rf"bank's {n} rows, but is {n + 1}"):
        search.search(bank[:3], n + 1)
    with pytest.raises(ValueError, match="but is 0"):
        search.search(bank[:3], 0)


def test_more_near_duplicates_than_a_list_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    bank = np.concatenate([near_duplicates(rng), cone(rng, 400, 48, 0.6)])
    labels, ids = rng.integers(0, 2, 1000), names(rng, 1000)
    crowded, honest = [], exact_search._crowded

    def counted(*arguments: Any) -> exact_search.Pairs:
        crowded.extend(arguments[4].tolist())
        return honest(*arguments)

    monkeypatch.setattr(exact_search, "_crowded", counted)
    queries = bank[590:610]
    found = NeighborSearch(bank, labels, ids).search(queries, 5)
    assert set(range(10)) <= set(crowded) < set(range(20))  # those among the duplicates at least
    assert_equal(found, brute_force(bank, labels, ids, queries, 5))


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
    search = NeighborSearch(bank, labels, ids)
    queries = cone(rng, 90, 48, 0.6)
    queries[:45] = bank[:45] * np.float32(1.5)
    whole = search.search(queries, 5)
    order = rng.permutation(90)
    parts = [search.search(part, 5) for part in np.split(queries[order], sorted(cuts))]
    for name in ("index", "similarity", "real_similarity", "fake_similarity"):
        again = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(again, getattr(whole, name)[order])


def test_tile_sizes_never_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    bank = near_duplicates(rng)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    whole = NeighborSearch(bank, labels, ids).search(bank[:100], 7)
    monkeypatch.setattr("ufd_ray.detectors.neighbors.TILE_QUERIES", 13)
    for name, value in {"TILE_ROWS": 31, "SPARE": 0, "CROWDED_QUERIES": 5, "PAIRS": 3}.items():
        monkeypatch.setattr(exact_search, name, value)
    assert_equal(NeighborSearch(bank, labels, ids).search(bank[:100], 7), whole)


@pytest.mark.parametrize("spare", [0, 32])
def test_any_error_within_the_bound_is_harmless(
    spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    bank = near_duplicates(rng)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    expected = brute_force(bank, labels, ids, bank[:40], 5)
    honest, bound = exact_search._products, exact_search.rounding_bound(48)

    def worst(*arguments: Any) -> torch.Tensor:
        products = honest(*arguments)
        signs = torch.from_numpy(rng.choice([-1.0, 1.0], products.shape))
        return products + (0.9 * bound * signs).float()

    monkeypatch.setattr(exact_search, "SPARE", spare)
    monkeypatch.setattr(exact_search, "_products", worst)
    search = NeighborSearch(bank, labels, ids)
    assert_equal(search.search(bank[:40], 5), expected)
    # The same error with no allowance for it: shows that the test can fail.
    monkeypatch.setattr(exact_search, "rounding_bound", lambda dim: 0.0)
    assert (search.search(bank[:40], 5).index != expected.index).any()


@pytest.mark.parametrize("dim", [1, 24, 768, 2048])
def test_products_keep_the_bound(dim: int) -> None:
    rng = np.random.default_rng(dim)
    bank = exact_search.UnitRows(cone(rng, 300, dim, 0.7))
    queries = bank.double(slice(0, 100))
    single = torch.from_numpy(queries.astype(np.float32))
    products = exact_search._products(bank, np.arange(300), single).numpy()
    exact = queries @ bank.double(slice(0, 300)).T
    assert np.abs(products - exact).max() <= exact_search.rounding_bound(dim)


def test_fast_products_elsewhere_in_the_process_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    bank = cone(rng, 900, 256, 0.8)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    expected = brute_force(bank, labels, ids, bank[:20], 9)
    before, used, product = torch.get_float32_matmul_precision(), [], torch.mm

    def watched(*arguments: Any, **options: Any) -> torch.Tensor:
        used.append(torch.backends.mkldnn.matmul.fp32_precision)
        return product(*arguments, **options)

    monkeypatch.setattr(torch, "mm", watched)  # not every processor has faster products
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = NeighborSearch(bank, labels, ids).search(bank[:20], 9)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert set(used) == {"ieee"}
    assert_equal(found, expected)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), values=st.integers(1, 3))
def test_at_k_1_the_vote_is_the_sign_of_the_margin(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    # Few small integers: many rows of both classes lie in exactly the same direction.
    bank = rng.integers(-values, values + 1, size=(60, 3)).astype(np.float32)
    bank[~bank.any(axis=1)] = 1
    labels, ids = rng.integers(0, 2, 60), names(rng, 60)
    labels[:2] = 0, 1
    found = NeighborSearch(bank, labels, ids).search(bank[rng.permutation(60)], 1)
    np.testing.assert_array_equal(vote(found, labels) == 1, margin(found) > 0)


def test_a_tie_is_real_and_then_by_image_id() -> None:
    bank = np.array([[2, 0], [2, 0], [2, 0], [2, 0], [0, 1]], np.float32)
    search = NeighborSearch(bank, np.array([1, 0, 1, 0, 0]), ["a", "d", "b", "c", "e"])
    found = search.search(np.array([[5, 0]], np.float32), 5)
    assert found.index.tolist() == [[3, 1, 0, 2, 4]]
    assert margin(found).tolist() == [0.0]


def test_vote_and_margin() -> None:
    bank = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
    labels = np.array([0, 1, 1], np.int8)
    search = NeighborSearch(bank, labels, ["a", "b", "c"])
    found = search.search(np.array([[1, 0], [0.1, 1]], np.float16), 3)
    assert vote(found, labels).tolist() == [np.float32(2 / 3)] * 2
    assert vote(found, labels).dtype == margin(found).dtype == np.float32
    cosine = 1 / math.sqrt(1.01)
    assert margin(found)[0] == pytest.approx(cosine - 1, rel=1e-6)
    assert margin(found)[1] == pytest.approx(cosine - 0.1 * cosine, rel=1e-3)  # 0.1 in float16


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


def test_read_only_embeddings_are_not_copied() -> None:
    bank = np.eye(4, dtype=np.float32)
    bank.setflags(write=False)
    search = NeighborSearch(bank, np.array([0, 0, 1, 1]), list("abcd"))
    assert np.shares_memory(search._bank.vectors, bank)
    assert search.search(bank, 1).index.ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.gpu
def test_the_device_never_matters() -> None:
    rng = np.random.default_rng(6)
    bank = near_duplicates(rng)
    labels, ids = rng.integers(0, 2, len(bank)), names(rng, len(bank))
    found = NeighborSearch(bank, labels, ids, device="cuda").search(bank[:50], 9)
    assert_equal(found, NeighborSearch(bank, labels, ids).search(bank[:50], 9))
