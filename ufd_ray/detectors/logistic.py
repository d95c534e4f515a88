"""Logistic regression solved to its optimum by Newton's method, over any number of workers.

The objective is scikit-learn's LogisticRegression(C=c): ½‖w‖² + c Σ log(1 + exp(−y z)) with
y = ±1, z = w·x + b on standardised features, and b free of the penalty. Each worker sums loss,
gradient and Hessian over its own rows; one all-reduce a step makes them everybody's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.probe import Probe
from ufd_ray.detectors.standardization import Standardization, fit_standardization
from ufd_ray.detectors.training_rows import CHUNK_ROWS, AllReduce, count_rows, identity
from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE

SUFFICIENT_DECREASE = 1e-4
"""Share of the decrease promised by the gradient that a step must keep (Armijo's rule)."""
ROUNDING = 1e-12
"""Relative change of the loss that may be rounding."""
SMALLEST_STEP = 2.0**-30


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A fit.

    Attributes:
        probe: on raw features.
        curve: one dict a step: `step`, `loss` (the objective), `gradient_norm`, both after the
            step, `step_size` (1 for a full Newton step), and `relative_decrement`, about the
            relative distance of the loss from its optimum before the step.
        converged: whether the optimum was reached within the steps allowed.
    """

    probe: Probe
    curve: list[dict[str, float]]
    converged: bool


@dataclass(frozen=True, eq=False)
class _Point:
    """The objective at one theta, and the squared decrement of the step that led there."""

    loss: float
    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]
    decrement: float


def fit_logistic(
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    c: float = 0.1,
    all_reduce: AllReduce = identity,
    max_steps: int = 50,
    tolerance: float = 1e-14,
) -> LogisticFit:
    """Fit a probe. Called by every worker at the same time, each with its own rows.

    Args:
        embeddings: (n, d) floating, this worker's rows, raw; n may be 0.
        labels: (n,) integers, 0 real, 1 fake.
        c: scikit-learn's C, over 0: the smaller, the stronger the penalty.
        all_reduce: sum over the workers.
        max_steps: Newton steps at most; about seven are needed.
        tolerance: the step whose relative decrement λ²/2f is not over it is the last.

    Returns:
        The fit; equal on all workers, and for any number of them, up to float64's rounding.

    Raises:
        ValueError: this worker's shapes do not fit.
        SettingsError: c is out of range, rows are not finite, or a class has no row.
    """
    if not 0 < c < np.inf:
        raise SettingsError(f"l2 (scikit-learn's C) must be a number over 0, but is {c}")
    num_rows = sum(count_rows(embeddings, labels, all_reduce))
    standard = fit_standardization(embeddings, num_rows, all_reduce)

    def evaluate(theta: NDArray[np.float64], decrement: float) -> _Point:
        return _evaluate(theta, decrement, embeddings, labels, standard, c, all_reduce)

    theta = np.zeros(embeddings.shape[1] + 1)
    here = evaluate(theta, 0.0)
    curve: list[dict[str, float]] = []
    converged = False
    while not converged and len(curve) < max_steps:
        step = -np.linalg.solve(here.hessian, here.gradient)
        mine, size = -float(here.gradient @ step), 1.0
        there = evaluate(theta + step, mine)
        slack = ROUNDING * here.loss
        while not there.loss <= here.loss - SUFFICIENT_DECREASE * size * there.decrement + slack:
            size /= 2
            if size < SMALLEST_STEP:
                return LogisticFit(standard.fold(theta), curve, converged=False)
            there = evaluate(theta + size * step, mine)
        theta = theta + size * step
        relative = there.decrement / (2 * here.loss)
        here, converged = there, relative <= tolerance
        curve.append(
            {
                "step": len(curve) + 1,
                "loss": here.loss,
                "gradient_norm": float(np.linalg.norm(here.gradient)),
                "step_size": size,
                "relative_decrement": relative,
            }
        )
    return LogisticFit(standard.fold(theta), curve, converged)


def _evaluate(
    theta: NDArray[np.float64],
    decrement: float,
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    standard: Standardization,
    c: float,
    all_reduce: AllReduce,
) -> _Point:
    """Sum the objective over all workers' rows, in one all-reduce.

    The decrement is known to each worker from a linear system of its own, and processors of
    different kinds may differ in its last bit. Its mean travels with the sums, so that all
    workers decide on the same number; else one could stop while another waits for it.
    """
    size = len(theta)
    loss, gradient, hessian = 0.0, np.zeros(size), np.zeros((size, size))
    for start in range(0, len(embeddings), CHUNK_ROWS):
        rows = standard.apply(embeddings[start : start + CHUNK_ROWS])
        fake = labels[start : start + CHUNK_ROWS] == FAKE
        logit = (rows * theta).sum(axis=1)
        small = np.exp(-np.abs(logit))
        probability = np.where(logit >= 0, 1.0, small) / (1.0 + small)
        loss += float((np.maximum(np.where(fake, -logit, logit), 0.0) + np.log1p(small)).sum())
        gradient += rows.T @ (probability - fake)
        rows *= (np.sqrt(small) / (1.0 + small))[:, None]
        hessian += rows.T @ rows  # one array with itself: half the work of a general product
    mine = np.concatenate([[1.0, decrement, loss], gradient, hessian.ravel()])
    total = all_reduce(mine)
    penalty = np.append(np.ones(size - 1), 0.0)
    return _Point(
        loss=float(c * total[2] + 0.5 * (penalty * theta * theta).sum()),
        gradient=c * total[3 : 3 + size] + penalty * theta,
        hessian=c * total[3 + size :].reshape(size, size) + np.diag(penalty),
        decrement=float(total[1] / total[0]),
    )
