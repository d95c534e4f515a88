"""Where to draw the line between real and fake: thresholds found on labelled images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from ufd_ray.detectors.calibration import check_labelled
from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE


@dataclass(frozen=True)
class Thresholds:
    """Thresholds on one scale; an image is called fake if its score is over one, strictly.

    Attributes:
        default: what the detector takes without any labelled images.
        tuned: the best for labelled images of the training source.
        max_fpr: at most a wished share of real images is flagged.
        calibrated: where the calibrated probability is one half.
        details: how each was found, or under `why_not` why it could not be. Ready for JSON.
    """

    default: float
    tuned: float | None
    max_fpr: float | None
    calibrated: float | None
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, float | None]:
        """The thresholds alone, by name."""
        return {
            "default": self.default,
            "tuned": self.tuned,
            "max_fpr": self.max_fpr,
            "calibrated": self.calibrated,
        }


def find_thresholds(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    default: float,
    calibrated: float | None,
    max_fpr: float,
    confidence: float,
) -> Thresholds:
    """Find the thresholds `tuned` and `max_fpr`.

    Args:
        scores: (n,) floating, higher for fake; of images that the detector was not fitted on.
        labels: (n,) integers, 0 real, 1 fake.
        default: passed on; among equally good thresholds `tuned` is the nearest to it.
        calibrated: passed on.
        max_fpr: share of real images that may be flagged, between 0 and 1.
        confidence: how sure that has to be, between 0 and 1.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: a class has no images, a score is not finite, or a share is none.
    """
    check_labelled(scores, labels, "scores")
    exact, fake = scores.astype(np.float64), labels == FAKE
    tuned, of_tuned = _tune(exact, fake, default)
    bound, of_bound = _bound(exact, fake, max_fpr, confidence)
    details = {"tuned": of_tuned, "max_fpr": of_bound}
    return Thresholds(default, tuned, bound, calibrated, details)


def tuned_threshold(
    scores: NDArray[np.floating], labels: NDArray[np.integer], *, default: float
) -> float | None:
    """The threshold `tuned` of `find_thresholds` alone; None where none beats guessing.

    Args and errors as there.
    """
    check_labelled(scores, labels, "scores")
    return _tune(scores.astype(np.float64), labels == FAKE, default)[0]


def reals_needed(max_fpr: float, confidence: float) -> int:
    """The least number of real images from which a threshold can be promised at all.

    Even if the threshold is the highest of their scores, it passes more than `max_fpr` of all
    real images with probability (1 - max_fpr)ⁿ.

    Raises:
        SettingsError: a share is not strictly between 0 and 1.
    """
    _check_share("max_fpr", max_fpr)
    _check_share("confidence", confidence)
    num = max(1, math.ceil(math.log1p(-confidence) / math.log1p(-max_fpr)) - 1)
    while _num_flaggable(num, max_fpr, confidence) is None:  # Once or twice: the above rounds.
        num += 1
    return num


def _tune(
    scores: NDArray[np.float64], fake: NDArray[np.bool_], default: float
) -> tuple[float | None, dict[str, Any]]:
    levels, place = np.unique(scores, return_inverse=True)
    num_fake = np.bincount(place[fake], minlength=len(levels))
    num_real = np.bincount(place[~fake], minlength=len(levels))
    # Cut c lies between level c and level c + 1.
    right_real = np.cumsum(num_real)[:-1] / num_real.sum()
    right_fake = 1 - np.cumsum(num_fake)[:-1] / num_fake.sum()
    accuracy = (right_real + right_fake) / 2
    if len(levels) < 2 or accuracy.max() <= 0.5:
        return None, {"why_not": "no threshold does better on these images than guessing"}
    below = levels[:-1]
    cuts = below + (levels[1:] - below) / 2
    cuts = np.where(cuts < levels[1:], cuts, below)  # Neighbours in float64 have no middle.
    best = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    chosen = best[np.abs(cuts[best] - default).argmin()]
    return float(cuts[chosen]), {
        "accuracy": float(accuracy[chosen]),
        "accuracy_real": float(right_real[chosen]),
        "accuracy_fake": float(right_fake[chosen]),
    }


def _bound(
    scores: NDArray[np.float64], fake: NDArray[np.bool_], max_fpr: float, confidence: float
) -> tuple[float | None, dict[str, Any]]:
    """The lowest threshold that at most `max_fpr` of all real images pass, with `confidence`.

    Let n real images be drawn independently and t be the (k + 1)-th highest of their scores. If
    more than a share a of all real images lies over t, then at most k of the n lay at or over the
    (1 - a)-quantile, which at least a share a reaches; the probability of that is at most
    P(Binomial(n, a) ≤ k). So k is the largest number for which that is at most 1 - confidence. It
    holds for every distribution of scores, ties included, since equal scores are flagged together
    or not at all; where the distribution is continuous the probability is met exactly.

    Sources: Wilks, "Determination of sample sizes for setting tolerance limits" (1941); Scheffé and
    Tukey, "Non-parametric estimation" (1945), for distributions with ties. That k is also the
    largest count whose upper bound by Clopper and Pearson (1934) is at most a.
    """
    _check_share("max_fpr", max_fpr)
    _check_share("confidence", confidence)
    reals = np.sort(scores[~fake])[::-1]
    num_flaggable = _num_flaggable(len(reals), max_fpr, confidence)
    if num_flaggable is None:
        needed = reals_needed(max_fpr, confidence)
        return None, {
            "why_not": f"at most {max_fpr:.4g} of all real images flagged, with confidence"
            f" {confidence:.4g}, needs {needed:,} real images; {len(reals):,} are there"
        }
    threshold = float(reals[num_flaggable])
    return threshold, {
        "num_real_flagged": int(np.count_nonzero(reals > threshold)),
        "num_real_flaggable": num_flaggable,
        "share_of_fakes_flagged": float(np.mean(scores[fake] > threshold)),
    }


def _num_flaggable(num_real: int, max_fpr: float, confidence: float) -> int | None:
    """The largest k with P(Binomial(num_real, max_fpr) ≤ k) ≤ 1 - confidence, if there is one."""
    low, high = -1, num_real  # P(≤ num_real) is 1.
    while high - low > 1:
        middle = (low + high) // 2
        if bdtr(middle, num_real, max_fpr) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low if low >= 0 else None


def _check_share(name: str, share: float) -> None:
    if not 0 < share < 1:
        raise SettingsError(f"{name} must lie between 0 and 1, got {share}")
