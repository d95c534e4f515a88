"""From a score to a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def verdicts(score: NDArray[np.floating], threshold: float = 0.5) -> NDArray[np.str_]:
    """Call an image fake if its score is over the threshold, strictly.

    Args:
        score: (n,) floating, higher for fake; no NaN.
        threshold: on the score's own scale (0.5 for a probability or a vote, 0 for a margin).

    Returns:
        (n,) of "real" and "fake".
    """
    # In float64, as SQL compares a float32 column: else the threshold would be rounded first.
    return np.where(np.asarray(score, np.float64) > threshold, "fake", "real")
