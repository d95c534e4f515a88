from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ufd_ray.detectors import find_thresholds, fit_calibration, verdicts
from ufd_ray.detectors.probe import sigmoid
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import Settled, cross_fitting, settle
from ufd_ray.evaluation.cross_fitting import (
    cross_fitted_accuracy,
    cross_fitted_probabilities,
    deal_parts,
)
from ufd_ray.settings import JudgingSettings

Values = NDArray[np.float32]
Labels = NDArray[np.int8]


def draw(seed: int, n: int, distance: float = 2.0) -> tuple[Values, Labels]:
    """Logits that lie too high and too far apart."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 2).astype(np.int8)
    return (2 * (rng.normal(size=n) + distance * labels) + 2).astype(np.float32), labels


def settle_logits(values: Values, labels: Labels, **wishes: Any) -> Settled:
    scores = sigmoid(values.astype(np.float64)).astype(np.float32)
    return settle(values, scores, labels, default=0.5, settings=JudgingSettings(**wishes), of="val")


@pytest.mark.parametrize("seed", range(5))
def test_calibration_halves_the_error_at_least(seed: int) -> None:
    found = settle_logits(*draw(seed, 1000))
    details = found.details
    assert details["ece_before"] > 0.2
    assert details["ece_after"] < details["ece_before"] / 2
    assert details["brier_after"] < details["brier_before"]
    assert details["brier_after"] < details["brier_of_share"] == 0.25
    assert details["why_not"] == {}
    assert found.thresholds.tuned == pytest.approx(sigmoid(np.array(4.0)), abs=0.02)


def test_everything_is_there_and_ready_for_json() -> None:
    values, labels = draw(0, 800)
    found = settle_logits(values, labels, fake_share=0.1)
    details = json.loads(json.dumps(found.details, allow_nan=False))
    wishes = ("of", "num_real", "num_fake", "max_fpr", "confidence", "fake_share", "method")
    assert [details[name] for name in wishes] == ["val", 400, 400, 0.01, 0.95, 0.1, "platt"]
    assert None not in details.values()
    assert found.calibration == fit_calibration(values, labels, method="platt", fake_share=0.1)
    assert details["num_flagged"] == 0  # of 400, one would already be too many
    called = verdicts(sigmoid(values.astype(np.float64)), found.thresholds.max_fpr or 0) == "fake"
    assert details["share_of_fakes_flagged"] == called[labels == 1].mean()


def test_the_calibrated_threshold_divides_as_the_probability_does() -> None:
    values, labels = draw(1, 400)
    scores = sigmoid(values.astype(np.float64)).astype(np.float32)
    for of_values, default in ((scores, 0.5), (values, 0.0)):
        found = settle(
            values, of_values, labels, default=default, settings=JudgingSettings(), of="val"
        )
        assert found.calibration is not None
        assert found.thresholds.calibrated is not None
        called = verdicts(of_values, found.thresholds.calibrated) == "fake"
        np.testing.assert_array_equal(called, found.calibration.probabilities(values) > 0.5)


def test_margins_have_no_error_before() -> None:
    values, labels = draw(2, 100)
    margins = values / 100
    found = settle(margins, margins, labels, default=0.0, settings=JudgingSettings(), of="all")
    assert found.details["brier_before"] is None
    assert found.details["ece_before"] is None
    assert found.details["why_not"]["before"] == "a margin is no probability"
    assert found.details["ece_after"] < 0.2
    assert found.thresholds.default == 0.0


def test_few_images_are_not_judged_on_themselves() -> None:
    """Twenty images of pure noise: what was found on them looks well on them, and is worth
    nothing."""
    on_themselves, honest, brier = [], [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels = (np.arange(20) % 2).astype(np.int8)
        values = rng.normal(size=20).astype(np.float32)
        found = settle_logits(values, labels)
        if found.thresholds.tuned is None:
            continue
        on_themselves.append(found.thresholds.details["tuned"]["accuracy"])
        honest.append(found.details["accuracy_tuned"])
        if found.details["brier_after"] is not None:
            brier.append(found.details["brier_after"] - found.details["brier_of_share"])
    assert np.mean(on_themselves) > 0.6
    assert np.mean(honest) < 0.53
    assert np.mean(brier) > 0


@pytest.mark.parametrize(("num_real", "num_fake"), [(3, 3), (3, 50), (25, 12), (400, 400)])
def test_parts_hold_both_classes_and_every_image_once(num_real: int, num_fake: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1], [num_real, num_fake]))
    parts = deal_parts(labels)
    counts = np.stack([np.bincount(parts[labels == label]) for label in (0, 1)])
    assert counts.shape == (2, min(10, num_real, num_fake))
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    assert counts.min() >= 1


def test_no_image_has_a_say_in_its_own_figure() -> None:
    values, labels = draw(3, 60)
    scores = sigmoid(values.astype(np.float64)).astype(np.float32)
    found = cross_fitted_probabilities(values, labels, "platt")
    parts = deal_parts(labels)
    right = []
    for row in range(len(labels)):
        others = parts != parts[row]
        alone = fit_calibration(values[others], labels[others], method="platt")
        assert found[row] == alone.probabilities(values[row : row + 1])[0]
        threshold = find_thresholds(
            scores[others],
            labels[others],
            default=0.5,
            calibrated=None,
            max_fpr=0.1,
            confidence=0.9,
        ).tuned
        assert threshold is not None
        right.append((scores[row] > threshold) == labels[row])
    means = [np.mean(np.array(right)[labels == label]) for label in (0, 1)]
    assert cross_fitted_accuracy(scores, labels, default=0.5) == pytest.approx(np.mean(means))


def test_too_few_for_parts() -> None:
    found = settle_logits(*draw(4, 4))
    assert found.calibration is not None
    assert found.details["ece_after"] is None
    assert found.details["accuracy_tuned"] is None
    for name in ("after", "accuracy_tuned"):
        assert found.details["why_not"][name].startswith("3 images of each class")
    with pytest.raises(ValueError, match="3 images of each class, got 2"):
        cross_fitting.deal_parts(np.array([0, 0, 1, 1]))


def test_reasons_for_what_cannot_be_found() -> None:
    values, labels = draw(5, 80)
    plain = settle_logits(values, labels, calibrate="none")
    assert plain.calibration is None
    assert plain.thresholds.calibrated is None
    assert plain.details["why_not"]["calibrated"] == "no calibration was asked for"
    assert "needs 299 real images; 40 are there" in plain.details["why_not"]["max_fpr"]
    assert plain.details["num_flagged"] is None
    wrong = settle_logits(-values, labels)
    assert wrong.calibration is None
    assert "do not rank above" in wrong.details["why_not"]["calibrated"]
    assert wrong.details["brier_after"] is None
    json.dumps([plain.details, wrong.details], allow_nan=False)


def test_a_fit_that_fails_without_some_of_the_images_is_told() -> None:
    values = np.array([0, 0, 0, 0.1, -3, 3.2], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1], np.int8)
    found = settle_logits(values, labels)
    assert found.calibration is not None
    assert found.details["brier_after"] is None
    reason = found.details["why_not"]["after"]
    assert reason.startswith("without some of the images: nothing to calibrate")


@pytest.mark.parametrize(
    "labels", [np.zeros(5, np.int8), np.ones(5, np.int8), np.empty(0, np.int8)]
)
def test_with_a_class_missing_nothing_but_the_default_is_left(labels: Labels) -> None:
    found = settle_logits(np.zeros(len(labels), np.float32), labels)
    assert found.calibration is None
    assert found.thresholds.to_dict() == {
        "default": 0.5,
        "tuned": None,
        "max_fpr": None,
        "calibrated": None,
    }
    for name in ("tuned", "max_fpr", "calibrated"):
        assert found.details["why_not"][name].startswith("images of both classes are needed, got")
    full = settle_logits(*draw(0, 800))
    assert found.details.keys() == full.details.keys()


def test_numbers_that_do_not_belong_together_are_refused() -> None:
    values, labels = draw(6, 40)
    settings = JudgingSettings()
    with pytest.raises(ValueError, match="sigmoids of the values"):
        settle(values, values / 2, labels, default=0.5, settings=settings, of="val")
    with pytest.raises(ValueError, match="equally long"):
        settle(values, values[:3], labels, default=0.5, settings=settings, of="val")
    values[3] = np.nan
    with pytest.raises(SettingsError, match="1 of 40 values are NaN"):
        settle_logits(values, labels)
    with pytest.raises(SettingsError, match="labels must be 0 or 1"):
        settle_logits(draw(6, 40)[0], labels + 1)
