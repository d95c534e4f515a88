from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ufd_ray.detectors import deal_folds
from ufd_ray.detectors.folds import _filling_up
from ufd_ray.errors import SettingsError


def names(count: int) -> list[str]:
    return [f"image-{number}" for number in range(count)]


def per_class(numbers: np.ndarray, labels: np.ndarray, num_folds: int) -> np.ndarray:
    return np.stack([np.bincount(numbers[labels == c], minlength=num_folds) for c in (0, 1)])


def test_without_sources_each_class_is_dealt_evenly() -> None:
    labels = (np.arange(103) % 4 == 0).astype(np.int8)
    folds = deal_folds(names(103), labels, None, 5, 0)
    assert folds.numbers.dtype == np.int8
    counts = per_class(folds.numbers, labels, 5)
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    assert folds.split_sources == []


def test_views_share_a_fold_and_the_order_of_rows_does_not_matter() -> None:
    labels = (np.arange(60) % 3 == 0).astype(np.int8)
    sources = [f"source-{number % 9}" if number % 2 else None for number in range(60)]
    once = deal_folds(names(60), labels, sources, 4, 5).numbers
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(60), 3))
    viewed = deal_folds(
        [names(60)[r] for r in rows], labels[rows], [sources[r] for r in rows], 4, 5
    )
    np.testing.assert_array_equal(viewed.numbers, once[rows])


def test_the_seed_decides() -> None:
    labels = (np.arange(100) % 2).astype(np.int8)
    first, again, other = (deal_folds(names(100), labels, None, 5, s).numbers for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_source_is_never_split_and_folds_are_balanced() -> None:
    rng = np.random.default_rng(0)
    which = rng.integers(0, 40, 4000)
    labels = (which % 2).astype(np.int8)
    sources = [f"source-{number}" for number in which]
    folds = deal_folds(names(4000), labels, sources, 5, 0)
    assert folds.split_sources == []
    assert all(len(np.unique(folds.numbers[which == number])) == 1 for number in range(40))
    counts = per_class(folds.numbers, labels, 5)
    assert (counts > 0.8 * counts.mean(axis=1, keepdims=True)).all()


def test_a_source_with_a_whole_class_is_dealt_by_image_and_named() -> None:
    labels = np.repeat([0, 1], [50, 60]).astype(np.int8)
    sources = ["camera"] * 50 + ["gan"] * 30 + ["diffusion"] * 30
    folds = deal_folds(names(110), labels, sources, 5, 0)
    assert folds.split_sources == ["camera"]
    np.testing.assert_array_equal(np.bincount(folds.numbers[:50]), [10] * 5)
    fakes = folds.numbers[50:80], folds.numbers[80:]
    assert len(np.unique(fakes[0])) == len(np.unique(fakes[1])) == 1
    assert fakes[0][0] != fakes[1][0]


def test_images_without_a_source_even_out_what_sources_left() -> None:
    labels = np.repeat([0, 1], [100, 20]).astype(np.int8)
    sources = ["big"] * 15 + ["small"] * 5 + [None] * 100
    numbers = deal_folds(names(120), labels, sources, 5, 0).numbers
    np.testing.assert_array_equal(per_class(numbers, labels, 5), [[20] * 5, [4] * 5])


def test_too_few_images_are_refused() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1], np.int8)
    with pytest.raises(SettingsError, match="4 folds need at least 4 fake images, but there are 3"):
        deal_folds(names(7), labels, None, 4, 0)
    views = ["a", "a", "b", "b", "c", "c", "c"]  # three images, of which one is fake
    with pytest.raises(SettingsError, match="2 folds need at least 2 fake images, but there are 1"):
        deal_folds(views, labels, None, 2, 0)
    with pytest.raises(SettingsError, match="must be 2 … 127, but is 1"):
        deal_folds(names(7), labels, None, 1, 0)
    with pytest.raises(ValueError, match="differ in length"):
        deal_folds(names(6), labels, None, 2, 0)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(2, 6),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 7)), min_size=12, max_size=80),
    st.integers(0, 3),
)
def test_what_is_fitted_on_always_has_both_classes(
    num_folds: int, images: list[tuple[int, int]], seed: int
) -> None:
    labels = np.array([0, 1] * num_folds + [label for label, _ in images], np.int8)
    kinds = [None, "a", "b", "c", "d", "e", "f", "g"]
    sources = ["a"] * (2 * num_folds) + [kinds[kind] for _, kind in images]
    folds = deal_folds(names(len(labels)), labels, sources, num_folds, seed)
    counts = per_class(folds.numbers, labels, num_folds)
    assert (counts.sum(axis=1, keepdims=True) - counts > 0).all()
    for source in set(sources) - set(folds.split_sources) - {None}:
        own = [number for number, s in enumerate(sources) if s == source]
        assert len(set(folds.numbers[own].tolist())) == 1


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(0, 100))
def test_filling_up_ends_even(have: list[int], num_more: int) -> None:
    given_out = _filling_up(np.array(have), num_more)
    assert len(given_out) == num_more
    more = np.bincount(given_out, minlength=len(have))
    total = np.array(have) + more
    assert total[more > 0].max(initial=0) <= total.min() + 1


def test_720_000_rows_are_dealt_quickly() -> None:
    ids = [f"{number:064x}" for number in range(720_000)]
    labels = (np.arange(720_000) % 2).astype(np.int8)
    start = time.process_time()
    deal_folds(ids, labels, None, 5, 0)
    assert time.process_time() - start < 20  # about 1.3 s of a core, however busy that is
