"""How the deciding scores of a run lie: counted as they pass, drawn in twenty bars."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

NUM_BARS = 20
_FINEST = 1e-4
"""Width of a bin of margins, whose spread (hundredths, mostly) nobody knows beforehand."""
_ENDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Where the drawn part of margins may end, on either side of 0."""


@dataclass(frozen=True)
class Histogram:
    """Counts in bins of equal width.

    Attributes:
        low: where the first bin begins.
        high: where the last one ends.
        counts: (n,) int64.
    """

    low: float = 0.0
    high: float = 1.0
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(NUM_BARS, np.int64))

    @classmethod
    def of(cls, decider: str) -> Histogram:
        """An empty one for what this detector says."""
        if decider == "margin":
            low, high = -_ENDS[-1], _ENDS[-1]
            return cls(low, high, np.zeros(round((high - low) / _FINEST), np.int64))
        return cls()

    def add(self, scores: npt.NDArray[np.floating]) -> None:
        """Count scores."""
        self.counts[:] += np.histogram(scores, len(self.counts), (self.low, self.high))[0]

    def bars(self, *marks: float) -> Histogram:
        """The bars that are drawn: of margins the part around 0 that holds all, and these marks."""
        if len(self.counts) == NUM_BARS:
            return self
        middle = len(self.counts) // 2
        used = np.flatnonzero(self.counts)
        # Counted from the middle: bin middle + i ends at (i + 1) · width, middle - i begins at -i.
        reach = max(
            (int(np.maximum(used - middle + 1, middle - used).max()) if len(used) else 1), 1
        )
        furthest = max(reach * _FINEST, *map(abs, marks), 0.0)
        end = next(e for e in _ENDS if e >= furthest - _FINEST / 2 or e == _ENDS[-1])
        half = round(end / _FINEST)
        part = self.counts[middle - half : middle + half]
        return Histogram(-end, end, part.reshape(NUM_BARS, -1).sum(axis=1))
