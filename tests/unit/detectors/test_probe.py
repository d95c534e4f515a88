from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ufd_ray.detectors import Probe, probe
from ufd_ray.errors import SettingsError


def some_probe(rng: np.random.Generator, dim: int) -> Probe:
    return Probe(rng.normal(size=dim).astype(np.float32), np.float32(rng.normal()))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.sampled_from([1, 3, 8, 127, 768, 1030]),
    half=st.booleans(),
    cancel=st.booleans(),
    cuts=st.lists(st.integers(0, 70), max_size=5),
)
def test_from_the_same_embedding_the_same_bits(
    seed: int, dim: int, half: bool, cancel: bool, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    fitted = some_probe(rng, dim)
    rows = rng.normal(size=(70, dim)).astype(np.float16 if half else np.float32)
    if cancel:
        # All products cancel in pairs. What is left is rounding alone, which shows any change in
        # the order of a sum; elsewhere the last rounding, to float32, would hide it.
        order = rng.permutation(2 * dim)
        weight = np.concatenate([fitted.weight, -fitted.weight])[order]
        fitted, rows = Probe(weight, np.float32(0)), np.tile(rows, 2)[:, order]
    logits, scores = fitted.logits(rows), fitted.scores(rows)
    assert logits.dtype == scores.dtype == np.float32
    order = rng.permutation(70)
    for part, method in ((logits, fitted.logits), (scores, fitted.scores)):
        split = [method(piece) for piece in np.split(rows[order], sorted(cuts))]
        np.testing.assert_array_equal(np.concatenate(split), part[order])
        alone = [method(rows[i : i + 1])[0] for i in range(70)]
        np.testing.assert_array_equal(alone, part)
        np.testing.assert_array_equal(method(rows[3::7]), part[3::7])
        np.testing.assert_array_equal(method(np.asfortranarray(rows)), part)
        np.testing.assert_array_equal(method(np.repeat(rows, 2, axis=1)[:, ::2]), part)


def test_the_chunk_never_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    fitted, rows = some_probe(rng, 64), rng.normal(size=(100, 64)).astype(np.float32)
    whole = fitted.logits(rows)
    monkeypatch.setattr(probe, "CHUNK_ROWS", 7)
    np.testing.assert_array_equal(fitted.logits(rows), whole)


def test_logits_are_raw_weighted_sums_and_scores_their_sigmoid() -> None:
    fitted = Probe(np.array([2, -1], np.float32), np.float32(0.5))
    rows = np.array([[3, 1], [0, 0], [-500, 0], [500, 0]], np.float32)
    assert fitted.logits(rows).tolist() == [5.5, 0.5, -999.5, 1000.5]
    sigmoid = 1 / (1 + np.exp(-np.array([5.5, 0.5])))
    np.testing.assert_array_equal(fitted.scores(rows)[:2], sigmoid.astype(np.float32))
    assert fitted.scores(rows)[2:].tolist() == [0, 1]  # and no overflow on the way
    assert fitted.scores(np.zeros((0, 2), np.float32)).shape == (0,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_unusable_weights_are_refused(value: float) -> None:
    good = np.ones(3, np.float32)
    with pytest.raises(SettingsError, match="1 of its 4 weights"):
        Probe(good, np.float32(value))
    with pytest.raises(SettingsError, match="3 of its 4 weights"):
        Probe(good * np.float32(value), np.float32(0))
    for weight in (np.ones((1, 3), np.float32), np.ones(3), np.ones(0, np.float32)):
        with pytest.raises(ValueError, match="float32 vector"):
            Probe(weight, np.float32(0))  # type: ignore[arg-type]


def test_unusable_embeddings_are_refused() -> None:
    fitted = Probe(np.array([2, 0], np.float32), np.float32(0))
    with pytest.raises(ValueError, match=r"2 numbers a row, got shape \(1, 3\)"):
        fitted.logits(np.ones((1, 3), np.float32))
    for value in (np.nan, np.inf, 3e38):
        with pytest.raises(ValueError, match="row 1 has no finite logit"):
            fitted.logits(np.array([[1, 1], [value, value]], np.float32))
