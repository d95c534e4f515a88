"""The linear probe: one weight per number of the embedding, a bias and a sigmoid.

Source: the paper's section 4, "Linear classification". It sees embeddings as the encoder gave
them; the neighbours' unit length would take away what the bias was fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.errors import SettingsError

CHUNK_ROWS = 4096
"""Rows whose float64 copies are in memory at a time."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted probe.

    Args:
        weight: (d,) float32, d ≥ 1.
        bias: float32.

    Raises:
        ValueError: weight is no float32 vector.
        SettingsError: a weight or the bias is NaN or infinite.
    """

    weight: NDArray[np.float32]
    bias: np.float32

    def __post_init__(self) -> None:
        if self.weight.ndim != 1 or len(self.weight) == 0 or self.weight.dtype != np.float32:
            raise ValueError(
                f"a probe's weight must be a float32 vector, but is {self.weight.dtype} "
                f"{self.weight.shape}"
            )
        num_bad = np.count_nonzero(~np.isfinite(self.weight)) + (not np.isfinite(self.bias))
        if num_bad:
            raise SettingsError(
                f"the probe cannot be used: {num_bad} of its {len(self.weight) + 1} weights "
                "(bias included) are NaN or infinite"
            )

    def weigh(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """Weigh and sum each row in float64, then round once.

        Args:
            embeddings: (n, d) floating, raw, not normalised; n may be 0.

        Returns:
            (n,) float32, positive for fake, not finite where the sum is none that float32 has; for
            a given row the same bits whatever the others are.

        Raises:
            ValueError: the shape does not fit.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.weight):
            raise ValueError(
                f"the probe takes {len(self.weight)} numbers a row, got shape {embeddings.shape}"
            )
        weight = self.weight.astype(np.float64)
        logits = np.empty(len(embeddings), np.float32)
        for start in range(0, len(embeddings), CHUNK_ROWS):
            # Not a matrix product: BLAS picks its order of summation by the number of rows. A sum
            # along a contiguous row is the same for every row count and place.
            chunk = np.array(embeddings[start : start + CHUNK_ROWS], np.float64, order="C")
            with np.errstate(over="ignore", invalid="ignore"):  # seen by whoever asked
                sums = (chunk * weight).sum(axis=1) + np.float64(self.bias)
                logits[start : start + CHUNK_ROWS] = sums
        return logits

    def logits(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """What `weigh` gives, all of it finite.

        Raises:
            ValueError: the shape does not fit, or a row has no finite logit.
        """
        logits = self.weigh(embeddings)
        finite = np.isfinite(logits)
        if not finite.all():
            raise ValueError(f"the embedding in row {finite.argmin()} has no finite logit")
        return logits

    def scores(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """The probability of fake, uncalibrated: the sigmoid of the float32 logit.

        Args:
            embeddings: (n, d) floating, as for `logits`.

        Returns:
            (n,) float32, 0 … 1.

        Raises:
            ValueError: as for `logits`.
        """
        return scores_of(self.logits(embeddings))


def scores_of(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores of logits: their sigmoids, in float64 and then rounded once.

    Args:
        logits: (n,) float32.

    Returns:
        (n,) float32, 0 … 1.
    """
    return sigmoid(logits.astype(np.float64)).astype(np.float32)


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(−z)) without overflow: the exponential is only taken of numbers ≤ 0."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, small) / (1.0 + small)
