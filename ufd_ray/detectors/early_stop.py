"""When to take smaller steps, and when to stop: of the paper's probe, and of its trained baselines.

Source: the released code of the paper and of Wang et al. (CVPR 2020).
"""

from __future__ import annotations

import itertools
import math

SMALLEST_RATE = 1e-6
LEARNING_RATE = 1e-4
"""The first; each further one is a tenth of it, and training stops when it would be under 1e-6."""
PATIENCE = 5
"""Epochs without a gain before the learning rate drops."""
GAINS = (0.001, 0.002)
"""Gain in accuracy that counts, at the first learning rate and at the others."""


def learning_rates(start: float) -> tuple[float, ...]:
    """A start and its tenths, the same doubles as their decimals, as long as none is under 1e-6.

    Args:
        start: over 0; taken itself, however small.
    """
    mantissa, _, exponent = f"{start:.9e}".partition("e")
    tenths = (float(f"{mantissa}e{int(exponent) - n}") for n in itertools.count(1))
    return start, *itertools.takewhile(lambda rate: rate >= SMALLEST_RATE, tenths)


class EarlyStop:
    """When to take smaller steps, and when to stop.

    Each learning rate judges afresh: the first accuracy under it is its first best, as in the
    released code, which makes a new judge after every drop.

    Args:
        state: drops, best accuracy (NaN where there is none yet) and epochs waited.
        start: the first learning rate.
    """

    def __init__(
        self, state: tuple[int, float, int] = (0, math.nan, 0), start: float = LEARNING_RATE
    ) -> None:
        self._rates = learning_rates(start)
        self._drops, best, self._waited = state
        self._best = None if math.isnan(best) else best

    @property
    def state(self) -> tuple[int, float, int]:
        """Drops, best accuracy (NaN where there is none yet) and epochs waited."""
        return self._drops, math.nan if self._best is None else self._best, self._waited

    @property
    def stopped(self) -> bool:
        """Whether no learning rate is left."""
        return self._drops == len(self._rates)

    @property
    def learning_rate(self) -> float:
        """For the next epoch."""
        return self._rates[self._drops]

    def judge(self, accuracy: float) -> None:
        """Take note of the validation accuracy after an epoch."""
        if self._best is None or accuracy >= self._best + GAINS[self._drops > 0]:
            self._best, self._waited = accuracy, 0
            return
        self._waited += 1
        if self._waited == PATIENCE:
            self._drops, self._best, self._waited = self._drops + 1, None, 0
