"""Sums over a worker's rows that are cheap: one pass through memory, float32 in the cache.

A row is read as it lies (float32 or float16), a common centre is taken from it while it is in the
cache, and everything else (each fold's own mean, its scale) is folded into the weights. So nothing
as large as the rows is ever made of them. Sums within a chunk are float32, across chunks float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.standardization import Standardization
from ufd_ray.detectors.training_rows import AllReduce, tensor_of
from ufd_ray.schema import FAKE

PASS_ROWS = 2048
"""Rows in the cache at a time."""
GRAM_ROWS = 2048
CENTRE_ROWS = 4096
"""Rows of each worker whose mean is the centre."""
TAME = 10.0
"""Largest squared distance of a mean from the centre, in variances: more would cost digits."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """A worker's rows.

    Attributes:
        embeddings: (n, d) floating, raw; n may be 0.
        labels: (n,) integers, 0 real, 1 fake.
        centre: (d,) float32, the same for all workers: near each feature's mean.
        folds: (n,) integers 0 … num_folds - 1; None where there are none.
    """

    embeddings: NDArray[np.floating]
    labels: NDArray[np.integer]
    centre: NDArray[np.float32]
    folds: NDArray[np.integer] | None = None

    def centred(self, chunk_rows: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Chunks (k, d) float32 of the centred rows, each valid until the next is asked for."""
        buffer = torch.empty((min(chunk_rows, len(self.embeddings)), self.embeddings.shape[1]))
        centre = torch.from_numpy(self.centre)
        for start in range(0, len(self.embeddings), chunk_rows):
            part = slice(start, start + chunk_rows)
            rows = tensor_of(self.embeddings[part])
            yield part, torch.sub(rows, centre, out=buffer[: len(rows)])

    def losses(
        self,
        weight: NDArray[np.float64],
        bias: NDArray[np.float64],
        left_out: Sequence[int | None],
        steepness: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """Cross entropy of several probes and its gradients, summed over this worker's rows.

        Args:
            weight: (p, d), on centred features.
            bias: (p,).
            left_out: the fold whose rows a probe does not see, one a probe.
            steepness: (n,), overwritten: the second derivative of a row's cross entropy by its
                logit, 0 … 0.25; the mean of the probes'.

        Returns:
            (p, d + 2) float64: the gradient of the weights, of the bias, and the loss.
        """
        num_probes, dim = weight.shape
        # Weights rounded to float32 would be those of another probe: the rest is weighed as well.
        whole = weight.astype(np.float32)
        both = np.concatenate([whole, (weight - whole).astype(np.float32)])
        weights = torch.from_numpy(both).T
        biases = torch.from_numpy(bias)
        sign = torch.from_numpy(np.where(self.labels == FAKE, -1.0, 1.0))[:, None]
        total = torch.zeros((num_probes, dim + 2), dtype=torch.float64)
        for part, rows in self.centred(PASS_ROWS):
            logits = torch.mm(rows, weights).double()
            against = (logits[:, :num_probes] + logits[:, num_probes:] + biases).mul_(sign[part])
            loss, wrong = torch.nn.functional.softplus(against, threshold=40), against.sigmoid()
            steepness[part] = (wrong * (1 - wrong)).mean(dim=1).numpy()
            excess = wrong.mul_(sign[part])
            if self.folds is not None:
                sees = self.folds[part, None] != np.array(left_out)
                loss, excess = loss.mul_(tensor_of(sees)), excess.mul_(tensor_of(sees))
            total[:, :dim] += torch.mm(excess.T.float(), rows)
            total[:, dim] += excess.sum(dim=0)
            total[:, dim + 1] += loss.sum(dim=0)
        return total.numpy()

    def gram(
        self, picked: NDArray[np.integer], weights: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """The weighted sum of some rows' products with themselves.

        Args:
            picked: (k,) numbers of the rows.
            weights: (k,), at least 0.

        Returns:
            (d + 1, d + 1) float64: of the centred features and a 1 for the bias.
        """
        dim = self.embeddings.shape[1]
        gram = np.zeros((dim + 1, dim + 1))
        for start in range(0, len(picked), GRAM_ROWS):
            part = slice(start, start + GRAM_ROWS)
            root = np.sqrt(weights[part])[:, None]
            scaled = np.concatenate(
                [self.embeddings[picked[part]] - self.centre, root], axis=1, dtype=np.float32
            )
            scaled[:, :dim] *= root
            gram += scaled.T @ scaled  # one array with itself: half the work of a general product
        return gram


def find_centre(embeddings: NDArray[np.floating], all_reduce: AllReduce) -> NDArray[np.float32]:
    """The mean of some rows of each worker, spread over all of them.

    A feature that never varies is its own centre, exactly: sums of one float32 in float64 are.
    """
    stride = max(1, len(embeddings) // CENTRE_ROWS)
    some = embeddings[::stride]
    total = all_reduce(np.append(some.sum(axis=0, dtype=np.float64), float(len(some))))
    centre: NDArray[np.float32] = (total[:-1] / total[-1]).astype(np.float32)
    return centre


def standardize_folds(
    rows: TrainingRows, num_folds: int, all_reduce: AllReduce
) -> list[Standardization] | None:
    """Mean and deviation of the rows outside each fold, in one pass; of all rows without folds.

    Returns:
        One a fold; None where a feature is so far from the centre, for what it varies, that
        float32 sums would lose it.
    """
    dim = rows.embeddings.shape[1]
    mine = torch.zeros((num_folds, 2 * dim + 1), dtype=torch.float64)
    for part, chunk in rows.centred(PASS_ROWS):
        if rows.folds is None:
            member = torch.ones((1, len(chunk)))
        else:
            member = torch.from_numpy(
                (rows.folds[None, part] == np.arange(num_folds)[:, None]).astype(np.float32)
            )
        mine[:, :dim] += torch.mm(member, chunk)
        mine[:, -1] += member.sum(dim=1, dtype=torch.float64)
        mine[:, dim:-1] += torch.mm(member, torch.square(chunk))
    own = all_reduce(mine.numpy().ravel()).reshape(num_folds, -1)
    found = []
    for fold in range(num_folds):
        # Added up, not taken from the total: a feature may vary in one fold alone.
        seen = own[np.arange(num_folds) != fold].sum(axis=0) if num_folds > 1 else own[0]
        shift, squares = seen[:dim] / seen[-1], seen[dim:-1] / seen[-1]
        variance = squares - shift * shift
        lost = (shift * shift > TAME * variance) & (squares > 0)
        if not np.isfinite(squares).all() or (lost.any() and num_folds == 1):
            return None
        # Lost outside a fold: what varies in that fold alone. It is given no weight to speak of.
        variance = np.where(lost, squares, variance)
        scale = np.sqrt(np.where(squares == 0, 1.0, variance))
        found.append(Standardization(rows.centre + shift, scale))
    return found
