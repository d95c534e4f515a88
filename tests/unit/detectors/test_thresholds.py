from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ufd_ray.detectors import Thresholds, find_thresholds, reals_needed, verdicts
from ufd_ray.detectors.probe import sigmoid
from ufd_ray.errors import SettingsError

BOTH = st.lists(st.integers(0, 1), min_size=2, max_size=40).filter(lambda x: len(set(x)) == 2)


def find(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    default: float = 0.5,
    max_fpr: float = 0.01,
    confidence: float = 0.95,
) -> Thresholds:
    return find_thresholds(
        scores,
        labels,
        default=default,
        calibrated=None,
        max_fpr=max_fpr,
        confidence=confidence,
    )


def mean_accuracy(
    scores: NDArray[np.floating], labels: NDArray[np.integer], threshold: float
) -> float:
    called = verdicts(scores, threshold) == "fake"
    return float(called[labels == 1].mean() + (~called)[labels == 0].mean()) / 2


@given(labels=BOTH, seed=st.integers(0, 2**32 - 1), levels=st.sampled_from([2, 5, 1000]))
def test_the_tuned_threshold_is_the_best_there_is(
    labels: list[int], seed: int, levels: int
) -> None:
    truth = np.array(labels)
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels, len(truth)) / levels).astype(np.float32)
    everywhere = np.unique(np.concatenate([scores, [-1.0]]).astype(np.float64))
    best = max(mean_accuracy(scores, truth, t) for t in everywhere)
    found = find(scores, truth)
    if best <= 0.5:
        assert found.tuned is None
        assert "guessing" in found.details["tuned"]["why_not"]
        return
    assert found.tuned is not None
    assert mean_accuracy(scores, truth, found.tuned) == pytest.approx(best, abs=1e-12)
    assert found.details["tuned"]["accuracy"] == pytest.approx(best, abs=1e-12)
    # In the middle between two scores, and of all such places the nearest to 0.5.
    middles = [(a + b) / 2 for a, b in pairwise(np.unique(scores).astype(np.float64).tolist())]
    as_good = [t for t in middles if mean_accuracy(scores, truth, t) >= best - 1e-12]
    assert found.tuned in as_good
    assert abs(found.tuned - 0.5) == min(abs(t - 0.5) for t in as_good)


def test_tuned_by_hand() -> None:
    scores, labels = np.array([0.1, 0.2, 0.6, 0.7, 0.9]), np.array([0, 0, 0, 1, 1])
    found = find(scores, labels)
    assert found.tuned == pytest.approx(0.65)
    assert found.details["tuned"] == {"accuracy": 1, "accuracy_real": 1, "accuracy_fake": 1}
    # The classes weigh the same, whatever their sizes: two reals of three lost cost less than both
    # fakes.
    unequal = find(np.array([0.1, 0.3, 0.4, 0.2, 0.8]), np.array([0, 0, 0, 1, 1]))
    assert unequal.tuned == pytest.approx(0.6)
    assert unequal.details["tuned"]["accuracy"] == pytest.approx(0.75)


@pytest.mark.parametrize("low", [0.7, np.nextafter(0.7, 1)])  # of one the middle rounds up
def test_neighbouring_floats_are_still_told_apart(low: float) -> None:
    scores = np.array([low, np.nextafter(low, 1)])
    found = find(scores, np.array([0, 1]))
    assert found.tuned is not None
    assert verdicts(scores, found.tuned).tolist() == ["real", "fake"]


def exact_tail(k: int, n: int, share: Fraction) -> Fraction:
    return sum(
        (math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k + 1)), Fraction(0)
    )


@given(
    num_real=st.integers(1, 60),
    max_fpr=st.sampled_from([(1, 100), (1, 20), (1, 10), (1, 3), (9, 10)]),
    confidence=st.sampled_from([(1, 2), (9, 10), (19, 20), (99, 100)]),
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([1, 3, 10**6]),
)
def test_the_bound_is_that_of_exact_arithmetic(
    num_real: int, max_fpr: tuple[int, int], confidence: tuple[int, int], seed: int, levels: int
) -> None:
    share, sure = Fraction(*max_fpr), Fraction(*confidence)
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels, num_real + 1) / levels).astype(np.float32)
    labels = np.append(np.zeros(num_real, int), 1)
    found = find(scores, labels, max_fpr=float(share), confidence=float(sure))
    reals = np.sort(scores[:-1].astype(np.float64))
    # The lowest of the reals' own scores that as few of them pass as the binomial tail allows.
    allowed = [k for k in range(num_real) if exact_tail(k, num_real, share) <= 1 - sure]
    if not allowed:
        assert found.max_fpr is None
        assert (
            f"{reals_needed(float(share), float(sure)):,} real images"
            in (found.details["max_fpr"]["why_not"])
        )
        return
    assert found.max_fpr == reals[num_real - 1 - allowed[-1]]
    assert int((reals > found.max_fpr).sum()) == found.details["max_fpr"]["num_real_flagged"]
    assert found.details["max_fpr"]["num_real_flagged"] <= allowed[-1]


def test_reals_needed() -> None:
    assert reals_needed(0.01, 0.95) == 299
    assert reals_needed(0.05, 0.95) == 59  # Wilks' number
    assert reals_needed(0.001, 0.95) == 2995
    assert reals_needed(0.5, 0.5) == 1
    assert reals_needed(0.9, 0.1) == 1
    assert reals_needed(0.5, 0.75) == 2  # exactly: 0.5² = 0.25
    for max_fpr, confidence in ((0.02, 0.9), (0.1, 0.999), (0.3, 0.5)):
        needed = reals_needed(max_fpr, confidence)
        assert (1 - max_fpr) ** needed <= 1 - confidence < (1 - max_fpr) ** (needed - 1)


def test_too_few_reals_are_counted_in_the_reason() -> None:
    scores, labels = np.linspace(0, 1, 50, dtype=np.float32), np.arange(50) % 5 == 4
    found = find(scores, labels.astype(np.int8))
    assert found.max_fpr is None
    assert found.details["max_fpr"]["why_not"] == (
        "at most 0.01 of all real images flagged, with confidence 0.95, needs 299 real images; 40"
        " are there"
    )


SIMULATED = 4000
"""Samples of real images. Four standard errors of a share near 0.95 are then 0.014."""


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    return rng.normal(size=shape).astype(np.float32)


def few_levels(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    return (rng.geometric(0.5, shape) / 40).astype(np.float32)


def votes(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    return (rng.binomial(9, 0.3, shape) / 9).astype(np.float32)


def saturated(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Logits so wide that three reals in a hundred have the score 1, as float32 rounds it."""
    return sigmoid(rng.normal(size=shape) * 9.2).astype(np.float32)


Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float32]]


@pytest.mark.parametrize("draw", [normal, few_levels, votes, saturated])
@pytest.mark.parametrize(
    ("num_real", "max_fpr", "confidence"),
    [(299, 0.01, 0.95), (1000, 0.01, 0.95), (200, 0.05, 0.9), (60, 0.05, 0.95)],
)
def test_the_bound_holds_on_fresh_images(
    draw: Draw, num_real: int, max_fpr: float, confidence: float
) -> None:
    rng = np.random.default_rng(num_real)
    fresh = np.sort(draw(rng, (1, 400_000))[0])
    reals = draw(rng, (SIMULATED, num_real))
    place = find_place(num_real, max_fpr, confidence)
    thresholds = np.sort(reals, axis=1)[:, place]
    labels = np.append(np.zeros(num_real, int), 1)
    for sample in range(5):  # These are what the function finds.
        found = find(np.append(reals[sample], 0), labels, max_fpr=max_fpr, confidence=confidence)
        assert found.max_fpr == thresholds[sample]
    flagged = 1 - np.searchsorted(fresh, thresholds, side="right") / len(fresh)
    held = float(np.mean(flagged <= max_fpr))
    assert held >= confidence - 0.02
    if draw is normal:
        # Without ties it is exact: one real image more over the threshold would be too many.
        k = num_real - 1 - place
        exact = 1 - float(exact_tail(k, num_real, Fraction(max_fpr)))
        assert held == pytest.approx(exact, abs=0.02)
        assert float(exact_tail(k + 1, num_real, Fraction(max_fpr))) > 1 - confidence


def find_place(num_real: int, max_fpr: float, confidence: float) -> int:
    """Which order statistic of the reals the threshold is."""
    ranks = np.arange(num_real + 1) / num_real
    labels = np.append(np.zeros(num_real, int), 1)
    found = find(ranks, labels, max_fpr=max_fpr, confidence=confidence)
    assert found.max_fpr is not None
    return round(found.max_fpr * num_real)


def test_many_reals_are_used_up_to_what_they_allow() -> None:
    """Far from wildly careful: of 100,000 reals nearly one in a hundred may lie over it."""
    rng = np.random.default_rng(0)
    labels = np.append(np.zeros(100_000, int), 1)
    found = find(rng.normal(size=100_001), labels)
    assert 0.0094 < found.details["max_fpr"]["num_real_flagged"] / 100_000 < 0.0096


def test_where_reals_have_the_highest_score_nothing_is_flagged() -> None:
    scores = np.concatenate([np.full(10, 1.0), np.zeros(390), np.ones(100)]).astype(np.float32)
    found = find(scores, np.repeat([0, 1], [400, 100]))
    assert found.max_fpr == 1
    assert found.details["max_fpr"]["num_real_flagged"] == 0
    assert found.details["max_fpr"]["share_of_fakes_flagged"] == 0


def test_it_is_ready_for_json() -> None:
    labels = np.repeat([0, 1], 400)
    found = find_thresholds(
        np.linspace(0, 1, 800, dtype=np.float32),
        labels,
        default=0.5,
        calibrated=0.4,
        max_fpr=0.01,
        confidence=0.95,
    )
    content = json.loads(json.dumps([found.to_dict(), found.details], allow_nan=False))
    assert content[0] == {
        "default": 0.5,
        "tuned": pytest.approx(0.5),
        "max_fpr": found.max_fpr,
        "calibrated": 0.4,
    }
    assert content[1]["max_fpr"]["share_of_fakes_flagged"] == 1


def test_what_cannot_be_used_is_refused() -> None:
    scores, labels = np.array([0.1, 0.9]), np.array([0, 1])
    for share in (0.0, 1.0, math.nan):
        with pytest.raises(SettingsError, match="max_fpr must lie between 0 and 1"):
            find(scores, labels, max_fpr=share)
        with pytest.raises(SettingsError, match="confidence must lie between 0 and 1"):
            find(scores, labels, confidence=share)
        with pytest.raises(SettingsError, match="must lie between 0 and 1"):
            reals_needed(share, 0.95)
    with pytest.raises(SettingsError, match="got 2 real and 0 fake"):
        find(scores, np.zeros(2, int))
    with pytest.raises(SettingsError, match="1 of 2 scores are NaN"):
        find(np.array([np.nan, 1]), labels)
    with pytest.raises(ValueError, match="equally long"):
        find(scores[:1], labels)
