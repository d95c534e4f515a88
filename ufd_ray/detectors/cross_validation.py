"""How a probe would do on images that it has not seen, and which penalty does best.

For each penalty of a grid and each fold, a probe is fitted without the fold and judged on it. The
folds are fitted side by side on the same rows, each going on from its optimum under the penalty
before, so that a pass over the rows serves all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.descent import (
    Passes,
    Problem,
    Trial,
    descend,
    run_side_by_side,
)
from ufd_ray.detectors.logistic import fit_logistic, rows_per_weight
from ufd_ray.detectors.row_sums import TrainingRows, find_centre, standardize_folds
from ufd_ray.detectors.standardization import Standardization, fit_standardization
from ufd_ray.detectors.training_rows import CHUNK_ROWS, AllReduce, count_rows, identity
from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, REAL

L2_GRID = tuple(float(f"{10 ** (power / 4):.2g}") for power in range(-16, 9, 3))
"""From 1e-4 to 1e2 in nine equal steps of the logarithm."""
TOLERANCE = 1e-9
"""Relative decrement of a fold's last step: log losses and logits need no more digits."""
ROUNDS = 10
STEPS_A_ROUND = 15


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What cross-validation found.

    Attributes:
        c: the one of the grid whose held-out log loss is least.
        grid: one dict a penalty: `l2`, and `log_loss`, the mean over all held-out images.
        held_out_logits: (m,) float64, of this worker's judged rows, each by the probe that did
            not see its fold, under `c`.
    """

    c: float
    grid: list[dict[str, float]]
    held_out_logits: NDArray[np.float64] = field(repr=False)


def cross_validate(
    train_embeddings: NDArray[np.floating],
    train_labels: NDArray[np.integer],
    train_folds: NDArray[np.integer],
    judged_embeddings: NDArray[np.floating],
    judged_labels: NDArray[np.integer],
    judged_folds: NDArray[np.integer],
    *,
    grid: Sequence[float] = L2_GRID,
    all_reduce: AllReduce = identity,
) -> CrossValidation:
    """Fit and judge. Called by every worker at the same time, each with its own rows.

    Args:
        train_embeddings: (n, d) floating, raw: rows to fit on; n may be 0.
        train_labels: (n,) integers, 0 real, 1 fake.
        train_folds: (n,) integers from 0.
        judged_embeddings: (m, d) floating: rows to judge by, for instance view 0 of the images
            whose augmented views are fitted on; the same array as `train_embeddings` will do.
        judged_labels: (m,) integers.
        judged_folds: (m,) integers from 0, as dealt out for the same images.
        grid: scikit-learn's C, each over 0.
        all_reduce: sum over the workers.

    Raises:
        ValueError: this worker's shapes do not fit.
        SettingsError: the grid is unusable, rows are not finite, there are not two folds, or a
            fold leaves no row of a class to fit on.
    """
    if not grid or not all(0 < c < np.inf for c in grid):
        raise SettingsError(f"the grid for l2 must be numbers over 0, but is {list(grid)}")
    for folds, labels in ((train_folds, train_labels), (judged_folds, judged_labels)):
        if folds.shape != labels.shape:
            raise ValueError(f"folds {folds.shape} and labels {labels.shape} do not fit")
    count_rows(train_embeddings, train_labels, all_reduce)
    num_judged = sum(count_rows(judged_embeddings, judged_labels, all_reduce, what="held-out"))
    num_folds = _count_folds(train_folds, train_labels, judged_folds, all_reduce)
    rows = TrainingRows(
        train_embeddings, train_labels, find_centre(train_embeddings, all_reduce), train_folds
    )
    fits = _Fits(rows, train_folds, num_folds, all_reduce)
    best, held_out, found = math.nan, np.empty(0), dict[float, float]()
    for c in sorted(set(grid)):  # from the strongest penalty on: each optimum is near the last
        fits.go_on_to(c)
        logits = fits.held_out_logits(judged_embeddings, judged_folds)
        against = np.where(judged_labels == FAKE, -logits, logits)
        loss = float(all_reduce(np.array([np.logaddexp(0.0, against).sum()]))[0]) / num_judged
        if all(loss < other for other in found.values()):
            best, held_out = c, logits
        found[c] = loss
    table = [{"l2": c, "log_loss": loss} for c, loss in found.items()]
    return CrossValidation(best, table, held_out)


def _count_folds(
    train_folds: NDArray[np.integer],
    train_labels: NDArray[np.integer],
    judged_folds: NDArray[np.integer],
    all_reduce: AllReduce,
) -> int:
    """The number of folds of all workers; each must leave rows of both classes to fit on."""
    counts = np.zeros((128, 3))
    for column, folds in enumerate(
        (train_folds[train_labels == REAL], train_folds[train_labels == FAKE], judged_folds)
    ):
        if len(folds) and not (folds.min() >= 0 and folds.max() < 127):
            counts[127, column] = len(folds)  # all workers refuse together
            continue
        counts[:, column] = np.bincount(folds, minlength=128)
    counts = all_reduce(counts.ravel()).reshape(128, 3)
    if counts[127].any():
        raise SettingsError("folds must be numbered 0 … 126")
    num_folds = int(np.flatnonzero(counts.any(axis=1)).max()) + 1
    if num_folds < 2:
        raise SettingsError("cross-validation needs at least two folds, but got one")
    for fold in range(num_folds):
        real, fake = (int(n) for n in counts[:, :2].sum(axis=0) - counts[fold, :2])
        if not (real and fake):
            raise SettingsError(
                f"without fold {fold} there are {real} real and {fake} fake images to fit on: both"
                " classes are needed; label more images, or ask for fewer folds"
            )
    return num_folds


class _Fits:
    """One probe a fold, fitted without it, under one penalty after the other."""

    def __init__(
        self,
        rows: TrainingRows,
        folds: NDArray[np.integer],
        num_folds: int,
        all_reduce: AllReduce,
    ) -> None:
        self._rows = rows
        self._folds = folds
        self._all_reduce = all_reduce
        standards = standardize_folds(rows, num_folds, all_reduce)
        self._side_by_side = standards is not None
        self._standards = standards or [self._exact_standard(f) for f in range(num_folds)]
        self._thetas = [np.zeros(rows.embeddings.shape[1] + 1) for _ in self._standards]
        self._passes = Passes(rows, all_reduce)
        self._num_rows = int(all_reduce(np.array([float(len(rows.labels))]))[0])

    def go_on_to(self, c: float) -> None:
        """Fit all probes under this penalty."""
        left = list(range(len(self._standards))) if not self._side_by_side else self._descend(c)
        for fold in left:  # what float32 cannot settle is fitted by itself, on a copy of its rows
            embeddings, labels = self._seen_without(fold)
            fit = fit_logistic(
                embeddings, labels, c=c, all_reduce=self._all_reduce, start=self._thetas[fold]
            )
            self._thetas[fold] = fit.theta

    def _descend(self, c: float) -> list[int]:
        """Descend with all folds side by side; returns those that did not reach their optimum."""
        problems = [Problem(standard, c, f) for f, standard in enumerate(self._standards)]
        num_wanted = rows_per_weight(self._num_rows, len(self._thetas[0])) * len(self._thetas[0])
        left = list(range(len(problems)))
        here = self._passes.evaluate(problems, [Trial(theta) for theta in self._thetas])
        for _ in range(ROUNDS):
            metrics = self._passes.sampled_metrics(problems, num_wanted)
            steps = [
                descend(here[f], metrics[f], tolerance=TOLERANCE, max_steps=STEPS_A_ROUND)
                for f in left
            ]
            descents = run_side_by_side(steps, [problems[f] for f in left], self._passes)
            for fold, descent in zip(left, descents, strict=True):
                here[fold] = descent.end
                self._thetas[fold] = descent.end.theta
            left = [f for f, d in zip(left, descents, strict=True) if not d.converged]
            if not left:
                break
        return left

    def held_out_logits(
        self, embeddings: NDArray[np.floating], folds: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Logits of rows, each by the probe that did not see its fold."""
        logits = np.empty(len(embeddings))
        thetas = np.stack(self._thetas)
        weights = thetas[:, :-1] / np.stack([standard.scale for standard in self._standards])
        biases = thetas[:, -1]
        means = np.stack([standard.mean for standard in self._standards])
        for start in range(0, len(embeddings), CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            for fold in range(len(thetas)):
                own = np.flatnonzero(folds[part] == fold)
                rows = embeddings[part][own] - means[fold]
                logits[start + own] = (rows * weights[fold]).sum(axis=1) + biases[fold]
        return logits

    def _seen_without(self, fold: int) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
        seen = self._folds != fold
        return self._rows.embeddings[seen], self._rows.labels[seen]

    def _exact_standard(self, fold: int) -> Standardization:
        embeddings, _ = self._seen_without(fold)
        num_rows = int(self._all_reduce(np.array([float(len(embeddings))]))[0])
        return fit_standardization(embeddings, num_rows, self._all_reduce)
