"""Descent to the optimum of logistic regression by cheap steps: exact gradients, sampled Hessian.

A Hessian of all rows costs hundreds of times what a gradient costs. That of a sample is near
enough to it to be the metric in which L-BFGS (Nocedal and Wright 2006, algorithm 7.4) takes its
steps: each divides the distance from the optimum by ten or so, and costs one pass over the rows.

Several probes (one a fold) go down side by side, so that one pass serves all of them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.row_sums import TrainingRows
from ufd_ray.detectors.standardization import Standardization
from ufd_ray.detectors.training_rows import AllReduce

SUFFICIENT_DECREASE = 1e-4
"""Share of the decrease promised by the gradient that a step must keep (Armijo's rule)."""
FLOAT32_ROUNDING = 1e-6
"""Relative change of the loss that may be float32's rounding."""
SMALLEST_STEP = 2.0**-10
FAR = 1e-2
"""Relative distance before a step, over which the Hessian is another one after it."""
EVEN_SHARE = 0.25
"""Of the sample, what is drawn without regard to what a row tells of the Hessian."""
MEMORY = 16
"""Steps that L-BFGS remembers."""
JITTER = 1e-7
"""Added to the diagonal, relative to it: float32's rounding must not make the metric indefinite."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """One probe to be fitted: the objective's constants.

    Attributes:
        standard: of the rows that it sees.
        c: scikit-learn's C.
        left_out: the fold that it does not see; None where it sees all rows.
    """

    standard: Standardization
    c: float
    left_out: int | None = None


@dataclass(frozen=True, eq=False)
class Trial:
    """A theta to evaluate, and the squared decrement of the step that leads there."""

    theta: Vector
    decrement: float = 0.0


@dataclass(frozen=True, eq=False)
class Point:
    """The objective at a theta. The same bits on all workers, theta and decrement included."""

    theta: Vector
    loss: float
    gradient: Vector
    decrement: float


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent ended.

    Attributes:
        end: its last point.
        converged: whether that is the optimum.
        far: whether it ended because that is so far that the metric should be made anew.
    """

    end: Point
    converged: bool
    far: bool = False


@dataclass(frozen=True, eq=False)
class Metric:
    """A Hessian that is nearly the objective's, factored.

    Attributes:
        factor: (d + 1, d + 1) float64, its lower Cholesky factor.
        excess: by what factor it may be larger than the objective's own, in any direction.
    """

    factor: torch.Tensor
    excess: float = 1.0

    @classmethod
    def of(cls, hessian: NDArray[np.float64], excess: float = 1.0) -> Metric:
        """Factor a symmetric matrix that is positive but for rounding.

        Raises:
            ValueError: it is not, or holds what is no finite number.
        """
        matrix = torch.from_numpy(hessian)
        diagonal = matrix.diagonal()
        jitter = JITTER
        while True:
            factor, info = torch.linalg.cholesky_ex(matrix + torch.diag(jitter * diagonal))
            if not info.item():
                return cls(factor, excess)
            if jitter > 1:
                raise ValueError("the Hessian is no positive matrix of finite numbers")
            jitter *= 10

    def solve(self, gradient: Vector) -> Vector:
        """Its inverse times a vector."""
        column = torch.from_numpy(gradient)[:, None]
        return torch.cholesky_solve(column, self.factor)[:, 0].numpy()


Steps = Generator[Trial, Point, Descent]
Callback = Callable[[Point, float, float], None]
"""Told of every step: where it led, its size, and the relative decrement before it."""


def descend(
    here: Point, metric: Metric, *, tolerance: float, max_steps: int, tell: Callback | None = None
) -> Steps:
    """Give out the thetas to evaluate, and take in their points.

    All workers decide on numbers that came out of an all-reduce, and add them up exactly rounded:
    so they decide alike, even where their processors differ.

    Args:
        here: where it begins.
        metric: of about the Hessian there.
        tolerance: the step whose relative decrement λ²/2f is not over it is the last.
        max_steps: steps at most.
        tell: called after every step.

    Returns:
        Where it ended; not converged where the steps ran out, or none led down any further.
    """
    pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=MEMORY)
    for _ in range(max_steps):
        decrement = metric.excess * float(here.gradient @ metric.solve(here.gradient))
        direction = -_two_loops(here.gradient, pairs, metric)
        size = 1.0
        there = yield Trial(here.theta + direction, decrement)
        direction = there.theta - here.theta  # as all workers have it
        while not _leads_down(here, there):
            size /= 2
            if size < SMALLEST_STEP:
                return Descent(here, False)
            there = yield Trial(here.theta + size * direction, there.decrement)
        relative = there.decrement / (2 * here.loss)
        step, change = there.theta - here.theta, there.gradient - here.gradient
        curvature = exact_dot(step, change)
        if curvature > 0:
            pairs.append((step, change, curvature))
        here = there
        if tell is not None:
            tell(here, size, relative)
        if relative <= tolerance:
            return Descent(here, True)
        if relative > FAR * metric.excess:
            return Descent(here, False, far=True)
    return Descent(here, False)


def _two_loops(
    gradient: Vector, pairs: Sequence[tuple[Vector, Vector, float]], metric: Metric
) -> Vector:
    """L-BFGS's inverse Hessian times the gradient, begun from the metric."""
    vector = gradient.copy()
    shares = []
    for step, change, curvature in reversed(pairs):
        shares.append(float(step @ vector) / curvature)
        vector -= shares[-1] * change
    vector = metric.solve(vector)
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        vector += (share - float(change @ vector) / curvature) * step
    return vector


def _leads_down(here: Point, there: Point) -> bool:
    """Armijo's rule; where the loss tells no more, its form in slopes (Hager and Zhang 2005)."""
    if not math.isfinite(there.loss):
        return False
    step = there.theta - here.theta
    slope = exact_dot(here.gradient, step)
    if there.loss <= here.loss + SUFFICIENT_DECREASE * slope:
        return True
    slope_there = exact_dot(there.gradient, step)
    near = there.loss <= here.loss * (1 + FLOAT32_ROUNDING)
    return near and slope_there <= (2 * SUFFICIENT_DECREASE - 1) * slope


def exact_dot(a: Vector, b: Vector) -> float:
    """A scalar product whose sum is rounded once: the same on every processor."""
    return math.fsum((a * b).tolist())


def run_side_by_side(
    descents: Sequence[Steps], problems: Sequence[Problem], passes: Passes
) -> list[Descent]:
    """Take all descents to their ends; each pass over the rows serves those still under way."""
    ends: dict[int, Descent] = {}
    trials = {number: next(steps) for number, steps in enumerate(descents)}
    while trials:
        under_way = sorted(trials)
        points = passes.evaluate(
            [problems[number] for number in under_way], [trials[number] for number in under_way]
        )
        for number, point in zip(under_way, points, strict=True):
            try:
                trials[number] = descents[number].send(point)
            except StopIteration as stop:
                ends[number] = stop.value
                del trials[number]
    return [ends[number] for number in range(len(descents))]


class Passes:
    """Sums over all workers' rows, and what the last of them left behind.

    Args:
        rows: this worker's.
        all_reduce: sum over the workers.
    """

    def __init__(self, rows: TrainingRows, all_reduce: AllReduce) -> None:
        self._rows = rows
        self._all_reduce = all_reduce
        self._steepness = np.zeros(len(rows.embeddings), np.float32)

    def evaluate(self, problems: Sequence[Problem], trials: Sequence[Trial]) -> list[Point]:
        """The objectives at the trials, in one pass and one all-reduce.

        What workers found by linear algebra of their own (theta, decrement) travels with the sums:
        processors of different kinds may differ in its last bit, and its mean is the same for all.
        """
        size = len(trials[0].theta)
        shifts = [problem.standard.mean - self._rows.centre for problem in problems]
        weight, bias = np.empty((len(trials), size - 1)), np.empty(len(trials))
        for number, (problem, trial) in enumerate(zip(problems, trials, strict=True)):
            weight[number] = trial.theta[:-1] / problem.standard.scale
            bias[number] = trial.theta[-1] - weight[number] @ shifts[number]
        left_out = [-1 if problem.left_out is None else problem.left_out for problem in problems]
        sums = self._rows.losses(weight, bias, left_out, self._steepness)
        own = np.array([[1.0, trial.decrement, *trial.theta] for trial in trials])
        mine = np.concatenate([own, sums], axis=1)
        total = self._all_reduce(mine.ravel()).reshape(mine.shape)
        points = []
        for problem, shift, numbers in zip(problems, shifts, total, strict=True):
            decrement, theta = numbers[1] / numbers[0], numbers[2 : size + 2] / numbers[0]
            by_weight, by_bias, loss = numbers[size + 2 : -2], numbers[-2], numbers[-1]
            by_weight = (by_weight - by_bias * shift) / problem.standard.scale
            gradient = problem.c * np.append(by_weight, by_bias)
            gradient[:-1] += theta[:-1]
            penalty = 0.5 * exact_dot(theta[:-1], theta[:-1])
            loss = float(problem.c * loss + penalty)
            points.append(Point(theta, loss, gradient, float(decrement)))
        return points

    def sampled_metrics(self, problems: Sequence[Problem], num_wanted: int) -> list[Metric]:
        """The Hessians at what was evaluated last, by a sample of about as many rows.

        Rows are drawn in proportion to their steepness, as each then tells as much of the Hessian;
        a part of the chance is the same for all, so that no row can weigh too much.
        """
        steepness, folds = self._steepness, self._rows.folds
        some = np.array([len(steepness), steepness.sum(dtype=np.float64)])
        num_rows, total = self._all_reduce(some)
        even = EVEN_SHARE * num_wanted / num_rows
        chance = ((1 - EVEN_SHARE) * num_wanted / max(total, 1e-300)) * steepness + even
        if num_wanted >= num_rows:
            chance[:] = 1.0
        np.minimum(chance, 1.0, out=chance)
        picked = np.flatnonzero(np.random.default_rng(0).random(len(chance)) < chance)
        weights = steepness[picked] / chance[picked]
        num_folds = 1 if folds is None else len(problems)
        grams = []
        for fold in range(num_folds):
            own = slice(None) if folds is None else folds[picked] == fold
            grams.append(self._rows.gram(picked[own], weights[own]))
        size = len(grams[0])
        total_grams = self._all_reduce(np.concatenate(grams, axis=None))
        by_fold = total_grams.reshape(num_folds, size, size)
        excess = max(1.0, 1 / even) if num_wanted < num_rows else 1.0
        metrics = []
        for problem in problems:
            seen = [fold for fold in range(num_folds) if fold != problem.left_out]
            hessian = hessian_of(problem, by_fold[seen].sum(axis=0), self._rows.centre)
            metrics.append(Metric.of(hessian, excess))
        return metrics


def hessian_of(
    problem: Problem, gram: NDArray[np.float64], centre: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The objective's Hessian, from the cross entropy's on centred features.

    Args:
        problem: of which objective.
        gram: (d + 1, d + 1), over the rows that the problem sees.
        centre: that was taken from the features.
    """
    shift, scale = problem.standard.mean - centre, problem.standard.scale
    moved = gram.copy()
    moved[:-1] -= shift[:, None] * gram[-1]
    moved[:, :-1] -= moved[:, -1:] * shift
    by = np.append(1 / scale, 1.0)
    moved *= problem.c * by[:, None] * by
    np.fill_diagonal(moved[:-1, :-1], moved.diagonal()[:-1] + 1.0)
    return moved
