"""From a score to a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def verdicts(
    score: NDArray[np.floating], threshold: float = 0.5, unsure_above: float | None = None
) -> NDArray[np.str_]:
    """Call an image fake if its score is over the threshold, strictly.

    Args:
        score: (n,) floating, higher for fake; no NaN.
        threshold: on the score's own scale (0.5 for a probability or a vote, 0 for a margin).
        unsure_above: below the threshold, on the same scale: an image over this one, strictly, that
            is not called fake is not called real either.

    Returns:
        (n,) of "real" and "fake", and of "unsure" where that was asked for.

    Raises:
        ValueError: unsure_above does not lie below the threshold.
    """
    # In float64, as SQL compares a float32 column: else the threshold would be rounded first.
    exact = np.asarray(score, np.float64)
    if unsure_above is None:
        return np.where(exact > threshold, "fake", "real")
    if not unsure_above < threshold:
        raise ValueError(f"unsure_above {unsure_above} must lie below the threshold {threshold}")
    return np.where(exact > threshold, "fake", np.where(exact > unsure_above, "unsure", "real"))
