"""Fits of so many rows that their Hessian is sampled; here already of a few thousand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.detectors.test_logistic import Rows, fit_on, rows_like_clip
from tests.unit.detectors.workers import run_workers
from ufd_ray.detectors import AllReduce, LogisticFit, descent, fit_logistic, logistic, row_sums
from ufd_ray.detectors.standardization import fit_standardization
from ufd_ray.detectors.training_rows import identity
from ufd_ray.errors import SettingsError


@pytest.fixture
def newton(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LogisticFit]:
    """The fit by Newton's method in float64; and all other fits by sampled Hessians."""

    def exactly(*rows: object, **options: object) -> LogisticFit:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logistic, "EXACT_OPERATIONS", np.inf)
            return fit_logistic(*rows, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(logistic, "EXACT_OPERATIONS", 0)
    return exactly


@pytest.fixture
def exact_fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every fit that ends in Newton's method in float64."""
    seen: list[int] = []
    once = logistic._newton

    def counted(*given: object) -> object:
        seen.append(1)
        return once(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(logistic, "_newton", counted)
    return seen


def unrounded_logits(fit: LogisticFit, embeddings: NDArray) -> NDArray[np.float64]:
    """The probe's own have float32's rounding, which offsets make large."""
    standard = fit_standardization(embeddings, len(embeddings), identity)
    return (standard.apply(embeddings) * fit.theta).sum(axis=1)


def objective(fit: LogisticFit, embeddings: NDArray, labels: NDArray, c: float) -> float:
    """What is minimised, in float64 throughout."""
    losses = np.logaddexp(0, unrounded_logits(fit, embeddings) * (1 - 2.0 * labels))
    return float(c * losses.sum() + (fit.theta[:-1] ** 2).sum() / 2)


def assert_same_optimum(fit: LogisticFit, exact: LogisticFit, embeddings: NDArray) -> None:
    assert fit.converged
    assert exact.converged
    gap = fit.curve[-1]["loss"] / exact.curve[-1]["loss"] - 1
    # Of the losses' rounding, which differs by CPU; the gap itself is seen in the logits.
    assert abs(gap) < descent.FLOAT32_ROUNDING
    logits, expected = (unrounded_logits(each, embeddings) for each in (fit, exact))
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("c", [0.001, 0.1, 10.0])
def test_the_optimum_is_newtons(
    c: float, newton: Callable[..., LogisticFit], exact_fits: list[int]
) -> None:
    rows = rows_like_clip(0, n=8000)
    fit = fit_logistic(*rows, c=c)
    assert not exact_fits
    assert_same_optimum(fit, newton(*rows, c=c), rows[0])
    assert 6 <= len(fit.curve) <= 20
    assert [entry["step"] for entry in fit.curve] == list(range(1, len(fit.curve) + 1))
    assert fit.curve[-1]["relative_decrement"] <= 1e-10
    assert fit.curve[-2]["relative_decrement"] > 1e-10


def test_theta_is_the_optimum_to_ten_digits_of_the_loss(newton: Callable[..., LogisticFit]) -> None:
    rows = rows_like_clip(1, n=8000)
    fit, exact = fit_logistic(*rows), newton(*rows)

    def loss(fit: LogisticFit) -> float:
        logits = unrounded_logits(fit, rows[0])
        each = np.logaddexp(0, np.where(rows[1] == 1, -logits, logits))
        return float(0.1 * each.sum() + 0.5 * (fit.theta[:-1] ** 2).sum())

    assert abs(loss(fit) / loss(exact) - 1) < 1e-11


@pytest.mark.parametrize("num_workers", [1, 2, 4])
def test_the_number_of_workers_does_not_matter(
    num_workers: int, newton: Callable[..., LogisticFit]
) -> None:
    rows = rows_like_clip(2, n=8000)
    exact = newton(*rows)
    for fit in (fits := fit_on(num_workers, rows)):
        np.testing.assert_array_equal(fit.theta, fits[0].theta)
        assert fit.curve == fits[0].curve
        assert_same_optimum(fit, exact, rows[0])


def test_uneven_and_empty_shares(newton: Callable[..., LogisticFit]) -> None:
    rows = rows_like_clip(3, n=8000)
    shares = [slice(0, 0), slice(0, 300), slice(300, 301), slice(301, None)]

    def work(rank: int, all_reduce: AllReduce) -> LogisticFit:
        return fit_logistic(*(array[shares[rank]] for array in rows), all_reduce=all_reduce)

    for fit in run_workers(4, work):
        assert_same_optimum(fit, newton(*rows), rows[0])


def test_going_on_from_a_step_comes_to_the_same_optimum(
    newton: Callable[..., LogisticFit],
) -> None:
    rows = rows_like_clip(4, n=8000)
    seen: list[tuple[dict[str, float], NDArray[np.float64]]] = []
    whole = fit_logistic(*rows, step_callback=lambda entry, theta: seen.append((entry, theta)))
    assert [entry for entry, _ in seen] == whole.curve
    np.testing.assert_array_equal(seen[-1][1], whole.theta)
    for _, theta in (seen[0], seen[4], seen[-1]):
        resumed = fit_logistic(*rows, start=theta)
        assert_same_optimum(resumed, newton(*rows), rows[0])
    assert len(resumed.curve) <= 2
    assert_same_optimum(newton(*rows, start=seen[2][1]), newton(*rows), rows[0])
    with pytest.raises(ValueError, match=r"start must have shape \(41,\)"):
        fit_logistic(*rows, start=np.zeros(40))


def test_steps_may_run_out(newton: Callable[..., LogisticFit]) -> None:
    rows = rows_like_clip(5, n=8000)
    for max_steps in (2, 7):
        fit = fit_logistic(*rows, max_steps=max_steps)
        assert not fit.converged
        assert len(fit.curve) == max_steps


def hostile(kind: str) -> Rows:
    embeddings, labels = rows_like_clip(6, n=8000, dim=20)
    rng = np.random.default_rng(0)
    if kind == "constant":
        embeddings[:, 2], embeddings[:, 4] = 0.1, 0.0
    elif kind == "scales":
        embeddings *= (10.0 ** np.linspace(-6, 6, 20)).astype(np.float32)
    elif kind == "offsets":
        embeddings[:, ::2] += 3000 * embeddings[:, ::2].std(axis=0)
    elif kind == "collinear":
        embeddings[:, 1::2] = embeddings[:, ::2] * 3 + 1e-4 * rng.normal(size=(8000, 10))
    elif kind == "few fakes":
        labels[:] = 0
        labels[rng.choice(8000, 8, replace=False)] = 1
    elif kind == "separable":
        embeddings[:, 0] += 1e4 * labels
    elif kind == "rare":
        embeddings[:, 3] = 0
        embeddings[rng.choice(8000, 3, replace=False), 3] = 1e4
    elif kind == "sorted":
        order = np.argsort(embeddings[:, 5])
        embeddings, labels = embeddings[order], labels[order]
    return embeddings, labels


@pytest.mark.parametrize("c", [0.1, 100.0])
@pytest.mark.parametrize(
    "kind",
    ["constant", "scales", "offsets", "collinear", "few fakes", "separable", "rare", "sorted"],
)
def test_hostile_features(kind: str, c: float, newton: Callable[..., LogisticFit]) -> None:
    rows = hostile(kind)
    fit, exact = fit_logistic(*rows, c=c), newton(*rows, c=c)
    assert_same_optimum(fit, exact, rows[0])
    assert objective(fit, *rows, c) == pytest.approx(objective(exact, *rows, c), rel=1e-9)


def test_where_sampled_steps_lead_nowhere_newton_goes_on(
    monkeypatch: pytest.MonkeyPatch, newton: Callable[..., LogisticFit], exact_fits: list[int]
) -> None:
    rows = rows_like_clip(7, n=8000)
    expected = newton(*rows)
    exact_fits.clear()
    solve = descent.Metric.solve
    monkeypatch.setattr(descent.Metric, "solve", lambda self, g: -solve(self, g))
    fit = fit_logistic(*rows)
    assert exact_fits
    assert_same_optimum(fit, expected, rows[0])


def test_features_that_float32_would_lose_are_left_to_newton(
    newton: Callable[..., LogisticFit], exact_fits: list[int]
) -> None:
    rows = rows_like_clip(8, n=8000, dim=6)
    # Two thirds of each worker's rows lie far from the others: so will the centre.
    rows[0][::2, 1] = 1e20
    assert_same_optimum(fit_logistic(*rows), newton(*rows), rows[0])
    assert exact_fits


def test_float16_rows_are_read_as_they_lie(newton: Callable[..., LogisticFit]) -> None:
    embeddings, labels = rows_like_clip(9, n=8000)
    half = (embeddings / np.abs(embeddings).max(axis=0) * 50).astype(np.float16)
    half.flags.writeable = False
    whole = fit_logistic(half.astype(np.float32), labels)
    np.testing.assert_allclose(fit_logistic(half, labels).theta, whole.theta, rtol=1e-6, atol=1e-9)


def test_the_chunks_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, newton: Callable[..., LogisticFit]
) -> None:
    rows = rows_like_clip(10, n=8000)
    whole = fit_logistic(*rows)
    monkeypatch.setattr(row_sums, "PASS_ROWS", 37)
    monkeypatch.setattr(row_sums, "GRAM_ROWS", 53)
    assert_same_optimum(fit_logistic(*rows), whole, rows[0])


def test_unusable_rows_are_refused_by_all(newton: Callable[..., LogisticFit]) -> None:
    embeddings, labels = rows_like_clip(11, n=8000)
    embeddings[4, 1] = np.inf

    def work(rank: int, all_reduce: AllReduce) -> str:
        with pytest.raises(SettingsError) as error:
            fit_logistic(embeddings[rank::4], labels[rank::4], all_reduce=all_reduce)
        return str(error.value)

    assert len(set(run_workers(4, work))) == 1


@pytest.mark.parametrize("hessian", [np.full((2, 2), np.nan), -np.eye(2), np.zeros((2, 2))])
def test_what_is_no_hessian_is_refused(hessian: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="no positive matrix of finite numbers"):
        descent.Metric.of(hessian)
