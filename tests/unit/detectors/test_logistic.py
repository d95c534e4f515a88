from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.unit.detectors.workers import run_workers
from ufd_ray.detectors import AllReduce, LogisticFit, fit_logistic, logistic
from ufd_ray.detectors.standardization import fit_standardization
from ufd_ray.detectors.training_rows import identity
from ufd_ray.errors import SettingsError

Rows = tuple[NDArray[np.float32], NDArray[np.int8]]


def rows_like_clip(seed: int, n: int = 3000, dim: int = 40) -> Rows:
    """Correlated features far from 0, of very different sizes; classes that overlap, 1 : 3."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.25).astype(np.int8)
    mix = rng.normal(size=(dim, dim)) / math.sqrt(dim)
    rows = (rng.normal(size=(n, dim)) + 0.3 * labels[:, None]) @ mix
    rows = rows * 10.0 ** rng.uniform(-2, 2, dim) + rng.normal(size=dim) * 5
    return rows.astype(np.float32), labels


def reference_logits(
    embeddings: NDArray[np.float32], labels: NDArray[np.int8], c: float
) -> NDArray[np.float64]:
    rows = StandardScaler().fit_transform(embeddings.astype(np.float64))
    model = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=200)
    return model.fit(rows, labels).decision_function(rows)


def fit_on(num_workers: int, rows: Rows, **options: float) -> list[LogisticFit]:
    def work(rank: int, all_reduce: AllReduce) -> LogisticFit:
        mine = slice(rank, None, num_workers)
        return fit_logistic(rows[0][mine], rows[1][mine], all_reduce=all_reduce, **options)  # type: ignore[arg-type]

    return run_workers(num_workers, work)


@pytest.mark.parametrize("c", [0.001, 0.1, 10.0])
def test_the_optimum_is_scikit_learns(c: float) -> None:
    embeddings, labels = rows_like_clip(0)
    fit = fit_logistic(embeddings, labels, c=c)
    assert fit.converged
    np.testing.assert_allclose(
        fit.probe.logits(embeddings), reference_logits(embeddings, labels, c), atol=1e-4
    )


def test_the_unrounded_optimum_is_scikit_learns_to_ten_digits() -> None:
    embeddings, labels = rows_like_clip(1)
    standard = fit_standardization(embeddings, len(labels), identity)
    kept = []
    whole = type(standard).fold

    def fold(self: object, theta: NDArray[np.float64]) -> object:
        kept.append(theta)
        return whole(self, theta)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(standard), "fold", fold)
        fit_logistic(embeddings, labels)
    logits = standard.apply(embeddings) @ kept[0]
    np.testing.assert_allclose(logits, reference_logits(embeddings, labels, 0.1), atol=1e-9)


@pytest.mark.parametrize("num_workers", [2, 4])
def test_the_number_of_workers_does_not_matter(num_workers: int) -> None:
    rows = rows_like_clip(2)
    alone = fit_logistic(*rows)
    fits = fit_on(num_workers, rows)
    for fit in fits:
        assert fit.converged
        np.testing.assert_array_equal(fit.probe.weight, fits[0].probe.weight)
        np.testing.assert_allclose(
            fit.probe.logits(rows[0]), alone.probe.logits(rows[0]), atol=1e-5
        )
        losses = [[step["loss"] for step in curve] for curve in (fit.curve, alone.curve)]
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
        first, expected = (curve[0]["relative_decrement"] for curve in (fit.curve, alone.curve))
        assert first == pytest.approx(expected, rel=1e-9)


def test_more_workers_than_rows() -> None:
    embeddings, labels = rows_like_clip(3, n=3, dim=4)
    labels[:] = 0, 1, 0
    fits = fit_on(5, (embeddings, labels))
    expected = fit_logistic(embeddings, labels).probe.logits(embeddings)
    np.testing.assert_allclose(fits[4].probe.logits(embeddings), expected, atol=1e-5)


def test_the_chunk_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = rows_like_clip(4, n=500)
    whole = fit_logistic(embeddings, labels)
    for module in ("logistic", "standardization", "training_rows"):
        monkeypatch.setattr(f"ufd_ray.detectors.{module}.CHUNK_ROWS", 37)
    part = fit_logistic(embeddings, labels)
    np.testing.assert_allclose(
        part.probe.logits(embeddings), whole.probe.logits(embeddings), atol=1e-5
    )


def test_the_curve_falls_fast() -> None:
    fit = fit_logistic(*rows_like_clip(5))
    losses = [step["loss"] for step in fit.curve]
    assert all(b <= a * (1 + logistic.ROUNDING) for a, b in pairwise(losses))
    assert [step["step"] for step in fit.curve] == list(range(1, len(losses) + 1))
    assert len(losses) <= 9
    assert fit.curve[-1]["gradient_norm"] < 1e-8
    assert fit.curve[-1]["relative_decrement"] <= 1e-14


def test_steps_may_run_out() -> None:
    rows = rows_like_clip(6)
    fit = fit_logistic(*rows, max_steps=2)
    assert not fit.converged
    assert len(fit.curve) == 2


def test_separable_but_for_one_row_far_away() -> None:
    rng = np.random.default_rng(7)
    labels = np.repeat([0, 1], 100).astype(np.int8)
    embeddings = (rng.normal(size=(200, 5)) + 20 * labels[:, None]).astype(np.float32)
    embeddings[0] = 2000  # a real image on the wrong side
    fit = fit_logistic(embeddings, labels, c=1e4)
    assert fit.converged
    expected = reference_logits(embeddings, labels, 1e4)
    np.testing.assert_allclose(fit.probe.logits(embeddings), expected, rtol=1e-3)


def test_a_step_that_would_raise_the_loss_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_like_clip(8)
    expected = fit_logistic(*rows).probe.logits(rows[0])
    solve, too_long = np.linalg.solve, iter([5, 5, 5])
    # Full Newton steps almost never fail here, so the first three are made to.
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: next(too_long, 1) * solve(a, b))
    fit = fit_logistic(*rows)
    assert min(step["step_size"] for step in fit.curve) < 1
    assert fit.converged
    np.testing.assert_allclose(fit.probe.logits(rows[0]), expected, atol=1e-5)


def test_constant_features_have_no_weight() -> None:
    embeddings, labels = rows_like_clip(9, n=1001, dim=6)
    embeddings[:, 2], embeddings[:, 4] = 0.1, 0.0
    for fit in fit_on(3, (embeddings, labels)):
        assert np.abs(fit.probe.weight[[2, 4]]).max() < 1e-12
        np.testing.assert_allclose(
            fit.probe.logits(embeddings), reference_logits(embeddings, labels, 0.1), atol=1e-4
        )


def test_float16_rows_are_taken_as_they_are() -> None:
    embeddings, labels = rows_like_clip(10, n=400, dim=5)
    half = embeddings.astype(np.float16)
    np.testing.assert_array_equal(
        fit_logistic(half, labels).probe.weight,
        fit_logistic(half.astype(np.float32), labels).probe.weight,
    )


def test_every_worker_refuses_what_one_of_them_holds() -> None:
    embeddings, labels = rows_like_clip(11, n=40, dim=3)
    embeddings[4, 1] = np.nan

    def work(rank: int, all_reduce: AllReduce) -> str:
        with pytest.raises(SettingsError) as error:
            fit_logistic(embeddings[rank::4], labels[rank::4], all_reduce=all_reduce)
        return str(error.value)

    messages = run_workers(4, work)
    assert set(messages) == {"1 of 40 training embeddings have NaN or infinity: leave them out"}


def test_data_that_nothing_can_fit_is_refused() -> None:
    ones = np.ones((4, 2), np.float32)
    with pytest.raises(SettingsError, match="both classes, got 4 real and 0 fake"):
        fit_logistic(ones, np.zeros(4, np.int8))
    with pytest.raises(SettingsError, match="both classes, got 0 real and 0 fake"):
        fit_logistic(ones[:0], np.zeros(0, np.int8))
    with pytest.raises(SettingsError, match="1 of 4 training labels are neither 0 nor 1"):
        fit_logistic(ones, np.array([0, 1, 2, 1]))
    with pytest.raises(ValueError, match="do not fit"):
        fit_logistic(ones, np.zeros(3, np.int8))
    for c in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(SettingsError, match="number over 0"):
            fit_logistic(ones, np.array([0, 1, 0, 1]), c=c)
