from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.unit.detectors.workers import run_workers
from ufd_ray.detectors import (
    L2_GRID,
    AllReduce,
    CrossValidation,
    cross_validate,
    cross_validation,
    deal_folds,
    fit_logistic,
)
from ufd_ray.errors import SettingsError

Rows = tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.int8]]


def some_rows(seed: int, n: int = 400, dim: int = 12) -> Rows:
    """Correlated features far from 0; classes that overlap; five folds."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(np.int8)
    mix = rng.normal(size=(dim, dim))
    rows = (rng.normal(size=(n, dim)) + 0.4 * labels[:, None]) @ mix + 20 * rng.normal(size=dim)
    folds = deal_folds([str(i) for i in range(n)], labels, None, 5, seed).numbers
    return rows.astype(np.float32), labels, folds


def by_scikit_learn(train: Rows, judged: Rows, c: float) -> NDArray[np.float64]:
    """Each judged row's logit by a fit of its own for its fold, standardised by what it saw."""
    logits = np.empty(len(judged[0]))
    for fold in range(5):
        seen, own = train[2] != fold, judged[2] == fold
        scaler = StandardScaler().fit(train[0][seen].astype(np.float64))
        model = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=200)
        model.fit(scaler.transform(train[0][seen].astype(np.float64)), train[1][seen])
        logits[own] = model.decision_function(scaler.transform(judged[0][own].astype(np.float64)))
    return logits


def log_loss(logits: NDArray[np.float64], labels: NDArray[np.int8]) -> float:
    return float(np.logaddexp(0, np.where(labels == 1, -logits, logits)).mean())


def assert_is_scikit_learns(found: CrossValidation, train: Rows, judged: Rows) -> None:
    expected = {c["l2"]: by_scikit_learn(train, judged, c["l2"]) for c in found.grid}
    losses = {c: log_loss(logits, judged[1]) for c, logits in expected.items()}
    for entry in found.grid:
        assert entry["log_loss"] == pytest.approx(losses[entry["l2"]], rel=5e-5)
    assert found.c == min(losses, key=lambda c: losses[c])
    np.testing.assert_allclose(found.held_out_logits, expected[found.c], atol=5e-3)


def test_it_is_scikit_learn_fold_by_fold() -> None:
    rows = some_rows(0)
    found = cross_validate(*rows, *rows)
    assert [entry["l2"] for entry in found.grid] == list(L2_GRID)
    assert len(L2_GRID) == 9
    assert (L2_GRID[0], L2_GRID[-1]) == (1e-4, 1e2)
    assert_is_scikit_learns(found, rows, rows)


def test_more_features_than_rows() -> None:
    rows = some_rows(1, n=60, dim=150)
    found = cross_validate(*rows, *rows, grid=[1e-4, 1e-2, 1.0])
    assert_is_scikit_learns(found, rows, rows)


def test_sampled_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_rows(2, n=6000, dim=16)
    monkeypatch.setattr(cross_validation, "rows_per_weight", lambda *_: 24)
    found = cross_validate(*rows, *rows, grid=[1e-3, 0.1])
    assert_is_scikit_learns(found, rows, rows)


def test_views_are_fitted_on_and_other_rows_judged() -> None:
    judged = some_rows(3)
    rng = np.random.default_rng(0)
    views = np.repeat(np.arange(400), 3)
    noise = rng.normal(size=(1200, 12))
    train = ((judged[0][views] + noise).astype(np.float32), judged[1][views], judged[2][views])
    found = cross_validate(*train, *judged, grid=[0.01, 1.0])
    assert_is_scikit_learns(found, train, judged)


@pytest.mark.parametrize("num_workers", [2, 3])
def test_the_number_of_workers_does_not_matter(num_workers: int) -> None:
    rows = some_rows(4, n=501)
    alone = cross_validate(*rows, *rows, grid=[0.01, 1.0])

    def work(rank: int, all_reduce: AllReduce) -> CrossValidation:
        # The last worker has no rows at all, and the rows to judge are dealt out in another way.
        mine = slice(rank, None, num_workers - 1) if rank < num_workers - 1 else slice(0)
        judged = slice(rank, None, num_workers)
        return cross_validate(
            *(array[mine] for array in rows), *(array[judged] for array in rows),
            grid=[0.01, 1.0], all_reduce=all_reduce,
        )  # fmt: skip

    found = run_workers(num_workers, work)
    logits = np.empty(501)
    for rank, part in enumerate(found):
        assert part.c == alone.c
        assert part.grid == found[0].grid
        logits[rank::num_workers] = part.held_out_logits
    np.testing.assert_allclose(logits, alone.held_out_logits, atol=1e-4)


def test_a_feature_that_varies_in_one_fold_alone() -> None:
    embeddings, labels, folds = some_rows(5)
    embeddings[:, 3] = np.where(folds == 2, embeddings[:, 3], 7.5)
    embeddings[:, 4] = -3.25
    rows = embeddings, labels, folds
    found = cross_validate(*rows, *rows, grid=[0.1])
    others = folds != 2  # in fold 2 the feature is one that its probe has never seen vary
    expected = by_scikit_learn(rows, rows, 0.1)
    np.testing.assert_allclose(found.held_out_logits[others], expected[others], atol=5e-3)


def test_what_float32_cannot_settle_is_fitted_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_rows(6, n=200)
    fitted = []

    def counting(*given: object, **options: object) -> object:
        fitted.append(options["c"])
        return fit_logistic(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(cross_validation, "fit_logistic", counting)
    monkeypatch.setattr(cross_validation, "ROUNDS", 0)
    found = cross_validate(*rows, *rows, grid=[1.0, 0.01])
    assert fitted == [0.01] * 5 + [1.0] * 5
    assert_is_scikit_learns(found, rows, rows)


def test_separable_rows_have_a_result() -> None:
    rng = np.random.default_rng(7)
    labels = np.repeat([0, 1], 20).astype(np.int8)
    embeddings = (rng.normal(size=(40, 100)) + 5 * labels[:, None]).astype(np.float32)
    folds = (np.arange(40) % 5).astype(np.int8)
    found = cross_validate(embeddings, labels, folds, embeddings, labels, folds)
    assert np.isfinite(found.held_out_logits).all()
    assert ((found.held_out_logits > 0) == labels).all()


def test_unusable_folds_are_refused_by_all() -> None:
    embeddings, labels, folds = some_rows(8, n=40)

    def refusal(labels: NDArray[np.int8], folds: NDArray[np.int8]) -> str:
        def work(rank: int, all_reduce: AllReduce) -> str:
            part = [array[rank::2] for array in (embeddings, labels, folds)]
            with pytest.raises(SettingsError) as error:
                cross_validate(*part, *part, all_reduce=all_reduce)
            return str(error.value)

        first, second = run_workers(2, work)
        assert first == second
        return first

    lopsided = (np.arange(40) < 5).astype(np.int8)
    assert "without fold 0 there are 0 real and 5 fake" in refusal(lopsided, lopsided)
    assert "at least two folds" in refusal(labels, np.zeros_like(folds))
    assert "numbered 0 … 126" in refusal(labels, folds - 1)
    with pytest.raises(SettingsError, match="grid for l2"):
        cross_validate(embeddings, labels, folds, embeddings, labels, folds, grid=[0.0])
    with pytest.raises(ValueError, match="do not fit"):
        cross_validate(embeddings, labels, folds[1:], embeddings, labels, folds)
