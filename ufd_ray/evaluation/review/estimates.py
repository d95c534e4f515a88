"""Labels of a stratified sample → precision, recall, prevalence, accuracy, false positive rate.

Every figure rests on how many fakes each stratum holds, and rises or falls with each of these
numbers. So its lower end is found with the least numbers where it rises and the greatest where it
falls, its upper end the other way round: "melded" intervals (Fay, Proschan and Brittain, "Combining
one-sample confidence procedures for inference in the two-sample case", Biometrics 71, 2015) of
those of Clopper and Pearson for each stratum. Of f fakes among m labels, the least share is
Beta(f, m - f + 1) and the greatest Beta(f + 1, m - f); images without a label are then drawn with
it, so that where all are labelled nothing is left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIGURES = ("precision", "recall", "prevalence", "accuracy", "false_positive_rate")
_NUM_DRAWS = 20_000


@dataclass(frozen=True)
class LabelledStratum:
    """Images with scores of one range, all of one verdict, and what some of them are.

    Attributes:
        flagged: whether their verdict is `fake`.
        size: how many images there are, labelled or not.
        real: how many were labelled real.
        fake: how many were labelled fake.
    """

    flagged: bool
    size: int
    real: int
    fake: int

    def __post_init__(self) -> None:
        if min(self.real, self.fake) < 0 or self.real + self.fake > self.size:
            raise ValueError(f"{self.real} real and {self.fake} fake of {self.size} images")


@dataclass(frozen=True)
class Estimate:
    """A figure of all images, 0 … 1.

    Attributes:
        value: as if each stratum were as its labels are; None: nothing tells.
        low: lower end of its interval.
        high: upper end.
        why_not: the reason why there is no value; None: there is one.
    """

    value: float | None
    low: float
    high: float
    why_not: str | None = None


_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Fakes:
    """How many fakes were flagged and how many passed, (draws,) each, or a single number."""

    flagged: _Numbers
    passed: _Numbers


def estimate(
    strata: Sequence[LabelledStratum],
    *,
    confidence: float = 0.95,
    seed: int = 0,
    num_draws: int = _NUM_DRAWS,
) -> dict[str, Estimate]:
    """Estimate all `FIGURES`.

    Precision: share of fakes among flagged images. Recall: share of flagged among fakes.
    Prevalence: share of fakes. Accuracy: share of right verdicts, where an image that is not
    flagged counts as called real. False positive rate: share of flagged among real images.

    Args:
        strata: all strata, one at least.
        confidence: of the intervals, between 0 and 1.
        seed: of the draws.
        num_draws: how many; the ends vary with them in the third digit.

    Raises:
        ValueError: there is no stratum.
    """
    if not strata:
        raise ValueError("at least one stratum is needed")
    images = _Images(
        flagged=sum(one.size for one in strata if one.flagged),
        passed=sum(one.size for one in strata if not one.flagged),
    )
    draws = _Draws(strata, np.random.default_rng(seed), num_draws)
    outside = (1 - confidence) / 2
    unlabelled = [number for number, one in enumerate(strata, 1) if not one.real + one.fake]
    point = _point(strata)
    found = {}
    for name in FIGURES:
        low = np.quantile(_figure(name, draws.least(name), images, 0.0), outside)
        high = np.quantile(_figure(name, draws.greatest(name), images, 1.0), 1 - outside)
        needed = [n for n in unlabelled if name != "precision" or strata[n - 1].flagged]
        value, why_not = None, None
        if needed:
            why_not = f"stratum {needed[0]} has no label"
        elif np.isnan(exact := float(_figure(name, point, images, np.nan)[0])):
            why_not = _EMPTY[name]
        else:
            value = exact
        # Draws may end short of the value by a rounding error.
        ends = (float(low), float(high)) if value is None else (min(low, value), max(high, value))
        found[name] = Estimate(value, float(ends[0]), float(ends[1]), why_not)
    return found


@dataclass(frozen=True)
class _Images:
    flagged: int
    passed: int


_EMPTY = {
    "precision": "no image is flagged",
    "recall": "no fake was found",
    "prevalence": "there are no images",
    "accuracy": "there are no images",
    "false_positive_rate": "no real image was found",
}
_RISES_WITH_PASSED = {"prevalence", "false_positive_rate"}
_FALLS_WITH_FLAGGED = {"false_positive_rate"}


class _Draws:
    """Least and greatest numbers of fakes, flagged and passed."""

    def __init__(
        self, strata: Sequence[LabelledStratum], rng: np.random.Generator, num_draws: int
    ) -> None:
        shape = (num_draws, len(strata))
        size, real, fake = (
            np.array([getattr(one, name) for one in strata]) for name in ("size", "real", "fake")
        )
        flagged = np.array([one.flagged for one in strata])
        self._ends = []
        for more in (0, 1):
            share = _beta(rng, fake + more, real + 1 - more, shape)
            fakes = (fake + rng.binomial(size - real - fake, share)).astype(np.float64)
            of_flagged, of_passed = (fakes[:, which].sum(axis=1) for which in (flagged, ~flagged))
            self._ends.append(_Fakes(of_flagged, of_passed))

    def least(self, name: str) -> _Fakes:
        """The numbers with which a figure is least."""
        return self._with(name, 0)

    def greatest(self, name: str) -> _Fakes:
        """The numbers with which it is greatest."""
        return self._with(name, 1)

    def _with(self, name: str, end: int) -> _Fakes:
        flagged = self._ends[1 - end if name in _FALLS_WITH_FLAGGED else end].flagged
        passed = self._ends[end if name in _RISES_WITH_PASSED else 1 - end].passed
        return _Fakes(flagged, passed)


def _beta(
    rng: np.random.Generator,
    fake: NDArray[np.int64],
    real: NDArray[np.int64],
    shape: tuple[int, int],
) -> _Numbers:
    """Draws of Beta(fake, real), which is 0 where there are no fakes, and 1 where no real ones."""
    both = (fake > 0) & (real > 0)
    share = np.broadcast_to(np.where(fake > 0, 1.0, 0.0), shape).copy()
    share[:, both] = rng.beta(fake[both], real[both], (shape[0], int(both.sum())))
    return share


def _point(strata: Sequence[LabelledStratum]) -> _Fakes:
    def fakes(flagged: bool) -> _Numbers:
        labelled = [one for one in strata if one.flagged == flagged and one.real + one.fake]
        return np.array([sum(one.size * one.fake / (one.real + one.fake) for one in labelled)])

    return _Fakes(fakes(True), fakes(False))


def _figure(name: str, fakes: _Fakes, images: _Images, empty: float) -> _Numbers:
    """A figure, (draws,); `empty` where it is a share of nothing."""
    all_images = images.flagged + images.passed
    right = fakes.flagged + images.passed - fakes.passed
    found = fakes.flagged + fakes.passed
    shares: Mapping[str, tuple[_Numbers, _Numbers | float]] = {
        "precision": (fakes.flagged, float(images.flagged)),
        "recall": (fakes.flagged, found),
        "prevalence": (found, float(all_images)),
        "accuracy": (right, float(all_images)),
        "false_positive_rate": (images.flagged - fakes.flagged, all_images - found),
    }
    part, whole = np.broadcast_arrays(*shares[name])
    share = np.full(part.shape, empty)
    np.divide(part, whole, out=share, where=whole > 0)
    within: _Numbers = np.clip(share, 0, 1)  # part and whole are rounded apart
    return within
