"""Logistic regression solved to its optimum, over any number of workers.

The objective is scikit-learn's LogisticRegression(C=c): ½‖w‖² + c Σ log(1 + exp(−y z)) with
y = ±1, z = w·x + b on standardised features, and b free of the penalty. Each worker sums over its
own rows; one all-reduce a step makes the sums everybody's.

Few rows are solved by Newton's method in float64. With many, the Hessian of all rows is what
costs, so that of a sample takes its place (see `descent`); the gradients are of all rows. Where
that comes to no end, Newton's method goes on from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.descent import (
    SUFFICIENT_DECREASE,
    Passes,
    Point,
    Problem,
    Trial,
    descend,
    run_side_by_side,
)
from ufd_ray.detectors.probe import Probe
from ufd_ray.detectors.row_sums import TrainingRows, find_centre, standardize_folds
from ufd_ray.detectors.standardization import Standardization, fit_standardization
from ufd_ray.detectors.training_rows import CHUNK_ROWS, AllReduce, count_rows, identity
from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE

ROUNDING = 1e-12
"""Relative change of the loss that may be rounding."""
SMALLEST_STEP = 2.0**-30
EXACT_ROWS_PER_WEIGHT = 40
EXACT_OPERATIONS = 1e10
"""Fewer rows than that for each weight, or fewer operations a Hessian: Newton in float64."""
NEWTON_TOLERANCE = 1e-13
"""Relative decrement of Newton's last step: it may as well be exact."""
NEAR_STEPS = 15
"""Steps that one sample's Hessian is good for near the optimum; four times the rows after them."""

StepCallback = Callable[[dict[str, float], NDArray[np.float64]], None]
"""Takes the curve's new entry, and theta."""


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A fit.

    Attributes:
        probe: on raw features.
        theta: (d + 1,) float64, the same on standardised features, the bias last.
        curve: one dict a step over all rows: `step`, `loss` (the objective), `gradient_norm`, both
            after the step, `step_size` (1 for a full step), and `relative_decrement`, a bound of
            the relative distance of the loss from its optimum before the step.
        converged: whether the optimum was reached within the steps allowed.
    """

    probe: Probe
    theta: NDArray[np.float64]
    curve: list[dict[str, float]]
    converged: bool


class _Course:
    """The steps so far: the curve, and who is told of it."""

    def __init__(self, callback: StepCallback | None) -> None:
        self.curve: list[dict[str, float]] = []
        self._callback = callback

    def tell(self, point: Point, size: float, relative_decrement: float) -> None:
        """Take note of a step."""
        entry = {
            "step": len(self.curve) + 1,
            "loss": point.loss,
            "gradient_norm": float(np.linalg.norm(point.gradient)),
            "step_size": size,
            "relative_decrement": relative_decrement,
        }
        self.curve.append(entry)
        if self._callback is not None:
            self._callback(entry, point.theta)


def fit_logistic(
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    c: float = 0.1,
    all_reduce: AllReduce = identity,
    max_steps: int = 50,
    tolerance: float = 1e-10,
    start: NDArray[np.float64] | None = None,
    step_callback: StepCallback | None = None,
) -> LogisticFit:
    """Fit a probe. Called by every worker at the same time, each with its own rows.

    Args:
        embeddings: (n, d) floating, this worker's rows, raw; n may be 0.
        labels: (n,) integers, 0 real, 1 fake.
        c: scikit-learn's C, over 0: the smaller, the stronger the penalty.
        all_reduce: sum over the workers.
        max_steps: steps at most; about seven are needed.
        tolerance: the step whose relative decrement λ²/2f is not over it is the last.
        start: (d + 1,) theta to go on from, the same for all workers; zeros without it.
        step_callback: called after every step.

    Returns:
        The fit; equal on all workers. For any number of them the same optimum, from which the loss
        is farther by less than the tolerance.

    Raises:
        ValueError: this worker's shapes do not fit.
        SettingsError: c is out of range, rows are not finite, or a class has no row.
    """
    if not 0 < c < np.inf:
        raise SettingsError(f"l2 (scikit-learn's C) must be a number over 0, but is {c}")
    dim = embeddings.shape[1]
    if start is not None and start.shape != (dim + 1,):
        raise ValueError(f"start must have shape ({dim + 1},), but has {start.shape}")
    counts = count_rows(embeddings, labels, all_reduce)
    course = _Course(step_callback)
    theta = np.zeros(dim + 1) if start is None else start.astype(np.float64)
    standard = None
    if sum(counts) > EXACT_ROWS_PER_WEIGHT * dim and sum(counts) * dim**2 > EXACT_OPERATIONS:
        rows = TrainingRows(embeddings, labels, find_centre(embeddings, all_reduce))
        standards = standardize_folds(rows, 1, all_reduce)
        if standards is not None:
            standard = standards[0]
            theta, converged = _descend_sampled(
                theta,
                Problem(standard, c),
                Passes(rows, all_reduce),
                sum(counts),
                max_steps,
                tolerance,
                course,
            )
            if converged:
                return LogisticFit(standard.fold(theta), theta, course.curve, converged=True)
    if standard is None:
        standard = fit_standardization(embeddings, sum(counts), all_reduce)
    objective = _Objective(embeddings, labels, standard, c, all_reduce)
    theta, converged = _newton(
        theta, objective, max_steps, min(tolerance, NEWTON_TOLERANCE), course
    )
    return LogisticFit(standard.fold(theta), theta, course.curve, converged)


def rows_per_weight(num_rows: int, num_weights: int) -> int:
    """How many rows a weight to sample: the more there are, the more a step costs beside it."""
    return max(20, round(1.6 * math.sqrt(num_rows / num_weights)))


def _descend_sampled(
    theta: NDArray[np.float64],
    problem: Problem,
    passes: Passes,
    num_rows: int,
    max_steps: int,
    tolerance: float,
    course: _Course,
) -> tuple[NDArray[np.float64], bool]:
    """Descend in a sampled metric, made anew while the optimum is far, or where it is slow."""
    [here] = passes.evaluate([problem], [Trial(theta)])
    num_wanted, num_slow = rows_per_weight(num_rows, len(theta)) * len(theta), 0
    while len(course.curve) < max_steps and num_slow <= 1:
        [metric] = passes.sampled_metrics([problem], num_wanted)
        steps = descend(
            here,
            metric,
            tolerance=tolerance,
            max_steps=min(NEAR_STEPS, max_steps - len(course.curve)),
            tell=course.tell,
        )
        [descent] = run_side_by_side([steps], [problem], passes)
        here = descent.end
        if descent.converged:
            return here.theta, True
        if not descent.far:
            num_slow, num_wanted = num_slow + 1, 4 * num_wanted
    return here.theta, False


def _newton(
    theta: NDArray[np.float64],
    objective: _Objective,
    max_steps: int,
    tolerance: float,
    course: _Course,
) -> tuple[NDArray[np.float64], bool]:
    """Newton's method in float64, from theta on: the optimum, and whether it was reached."""
    here, hessian = objective.at(theta, 0.0)
    while len(course.curve) < max_steps:
        step = -np.linalg.solve(hessian, here.gradient)
        mine, size = -float(here.gradient @ step), 1.0
        there, hessian = objective.at(theta + step, mine)
        slack = ROUNDING * here.loss
        while not there.loss <= here.loss - SUFFICIENT_DECREASE * size * there.decrement + slack:
            size /= 2
            if size < SMALLEST_STEP:
                return theta, False
            there, hessian = objective.at(theta + size * step, mine)
        theta = theta + size * step
        relative = there.decrement / (2 * here.loss)
        here = there
        course.tell(here, size, relative)
        if relative <= tolerance:
            return theta, True
    return theta, False


@dataclass(frozen=True, eq=False)
class _Objective:
    """The objective and its Hessian in float64, over all workers' rows."""

    embeddings: NDArray[np.floating]
    labels: NDArray[np.integer]
    standard: Standardization
    c: float
    all_reduce: AllReduce

    def at(self, theta: NDArray[np.float64], decrement: float) -> tuple[Point, NDArray[np.float64]]:
        """Sum it at a theta, in one all-reduce.

        The decrement is known to each worker from a linear system of its own, and processors of
        different kinds may differ in its last bit. Its mean travels with the sums, so that all
        workers decide on the same number; else one could stop while another waits for it.
        """
        size = len(theta)
        loss, gradient, hessian = 0.0, np.zeros(size), np.zeros((size, size))
        for start in range(0, len(self.embeddings), CHUNK_ROWS):
            rows = self.standard.apply(self.embeddings[start : start + CHUNK_ROWS])
            fake = self.labels[start : start + CHUNK_ROWS] == FAKE
            logit = (rows * theta).sum(axis=1)
            small = np.exp(-np.abs(logit))
            probability = np.where(logit >= 0, 1.0, small) / (1.0 + small)
            loss += float((np.maximum(np.where(fake, -logit, logit), 0.0) + np.log1p(small)).sum())
            gradient += rows.T @ (probability - fake)
            rows *= (np.sqrt(small) / (1.0 + small))[:, None]
            hessian += rows.T @ rows  # one array with itself: half the work of a general product
        mine = np.concatenate([[1.0, decrement, loss], gradient, hessian.ravel()])
        total = self.all_reduce(mine)
        penalty = np.append(np.ones(size - 1), 0.0)
        point = Point(
            theta=theta,
            loss=float(self.c * total[2] + 0.5 * (penalty * theta * theta).sum()),
            gradient=self.c * total[3 : 3 + size] + penalty * theta,
            decrement=float(total[1] / total[0]),
        )
        return point, self.c * total[3 + size :].reshape(size, size) + np.diag(penalty)
