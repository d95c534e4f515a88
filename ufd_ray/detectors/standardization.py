"""Features of mean 0 and variance 1, so that one penalty fits all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.probe import Probe
from ufd_ray.detectors.training_rows import CHUNK_ROWS, AllReduce


@dataclass(frozen=True, eq=False)
class Standardization:
    """z = (x − mean) / scale.

    Attributes:
        mean: (d,) float64.
        scale: (d,) float64, the population's deviation; 1 for a feature that never varies.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """Standardised rows (n, d + 1) float64; the last column is 1, for the bias."""
        rows = np.ones((len(embeddings), len(self.mean) + 1))
        np.subtract(embeddings, self.mean, out=rows[:, :-1])
        rows[:, :-1] /= self.scale
        return rows

    def fold(self, theta: NDArray[np.float64]) -> Probe:
        """The probe on raw features that equals `theta` on standardised ones.

        Args:
            theta: (d + 1,) float64, the bias last.

        Raises:
            SettingsError: a folded weight is too large for float32.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # Probe refuses what is not finite
            weight = (theta[:-1] / self.scale).astype(np.float32)
            # With the rounded weights, so that their rounding cannot shift the logits' mean.
            bias = np.float32(theta[-1] - (weight * self.mean).sum())
        return Probe(weight, bias)


def fit_standardization(
    embeddings: NDArray[np.floating], num_rows: int, all_reduce: AllReduce
) -> Standardization:
    """Mean and deviation over the rows of all workers, in two passes.

    Args:
        embeddings: (n, d) float32 or float16, finite, this worker's rows; n may be 0.
        num_rows: of all workers together, at least 1.
        all_reduce: sum over the workers.
    """
    dim = embeddings.shape[1]
    sums = np.zeros(dim)
    for start in range(0, len(embeddings), CHUNK_ROWS):
        sums += embeddings[start : start + CHUNK_ROWS].sum(axis=0, dtype=np.float64)
    mean = all_reduce(sums) / num_rows
    squares = np.zeros(dim)
    for start in range(0, len(embeddings), CHUNK_ROWS):
        deviation = embeddings[start : start + CHUNK_ROWS] - mean
        squares += (deviation * deviation).sum(axis=0)
    scale = np.sqrt(all_reduce(squares) / num_rows)
    # Float64 sums of one float32 number are exact for the first 2²⁹ rows, in any grouping: a
    # feature that never varies gives exactly 0 here.
    return Standardization(mean, np.where(scale == 0, 1.0, scale))
