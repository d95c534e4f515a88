"""Thresholds and calibration of a detector, from labelled images that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors import Calibration, Thresholds, find_thresholds, fit_calibration
from ufd_ray.detectors.calibration import check_labelled
from ufd_ray.detectors.probe import sigmoid
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation.cross_fitting import (
    FEWEST_IMAGES,
    cross_fitted_accuracy,
    cross_fitted_probabilities,
)
from ufd_ray.evaluation.metrics import brier_score, expected_calibration_error
from ufd_ray.schema import FAKE, REAL
from ufd_ray.settings import JudgingSettings

_FIGURES = (
    *("num_flagged", "share_of_fakes_flagged", "accuracy_tuned", "brier_of_share"),
    *("brier_before", "ece_before", "brier_after", "ece_after"),
)
"""What is found out about the images and what was found on them."""


@dataclass(frozen=True)
class Settled:
    """What turns a detector's numbers into words.

    Attributes:
        thresholds: on the scores' scale.
        calibration: from values to probabilities; None if there is none.
        details: how both were found and how good they are, ready for JSON. `of`, `num_real`,
            `num_fake`: the images. `max_fpr`, `confidence`, `fake_share`, `method`: what was wished
            for. `num_flagged`, `share_of_fakes_flagged`: real images and fakes of these over the
            threshold max_fpr. `accuracy_tuned`: mean over the classes. `brier_before`,
            `ece_before`: of the scores, taken for probabilities; `brier_after`, `ece_after`: of the
            calibrated ones; `brier_of_share`: of saying nothing but the share of fakes. `why_not`:
            the reason for each that is null, by name.
    """

    thresholds: Thresholds
    calibration: Calibration | None
    details: dict[str, Any]


def settle(
    values: NDArray[np.floating],
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    default: float,
    settings: JudgingSettings,
    of: str,
) -> Settled:
    """Find calibration and thresholds, and judge them.

    `accuracy_tuned`, `brier_after` and `ece_after` are cross-fitted: no image is judged by what was
    found on itself. They are about these images, so the share of fakes is left as it is here.

    Args:
        values: (n,) floating, the logits or margins that a calibration takes.
        scores: (n,) floating, on the scale of the thresholds: the sigmoids of the values, or the
            values themselves.
        labels: (n,) integers, 0 real, 1 fake.
        default: the detector's threshold without any labelled images.
        settings: what is wished for.
        of: which images these are, for the record.

    Returns:
        With a class missing no threshold but `default`, no calibration, and the reason in details.

    Raises:
        ValueError: shapes do not fit, or scores are neither sigmoids nor the values themselves.
        SettingsError: a number is not finite, or labels are others than 0 and 1.
    """
    num_real, num_fake = (int(np.count_nonzero(labels == label)) for label in (REAL, FAKE))
    about = {
        "of": of,
        "num_real": num_real,
        "num_fake": num_fake,
        "max_fpr": settings.max_fpr,
        "confidence": settings.confidence,
        "fake_share": settings.fake_share,
        "method": settings.calibrate,
    }
    if num_real + num_fake == len(labels) and not (num_real and num_fake):
        return _nothing(default, about)
    check_labelled(values, labels, "values")
    are_margins = _are_margins(values, scores)
    why_not: dict[str, str] = {}
    calibration = _calibrate(values, labels, settings, why_not)
    thresholds = find_thresholds(
        scores,
        labels,
        default=default,
        calibrated=_middle(calibration, are_margins),
        max_fpr=settings.max_fpr,
        confidence=settings.confidence,
    )
    for name, found in thresholds.details.items():
        if "why_not" in found:
            why_not[name] = found["why_not"]
    bound = thresholds.details["max_fpr"]
    figures = dict.fromkeys(_FIGURES) | {
        "num_flagged": bound.get("num_real_flagged"),
        "share_of_fakes_flagged": bound.get("share_of_fakes_flagged"),
        "brier_of_share": num_real * num_fake / len(labels) ** 2,
    }
    if are_margins:
        why_not["before"] = "a margin is no probability"
    else:
        figures |= _quality(labels, scores, "before")
    if min(num_real, num_fake) < FEWEST_IMAGES:
        reason = f"{FEWEST_IMAGES} images of each class are the fewest that can judge each other"
        why_not |= dict.fromkeys(("accuracy_tuned", "after"), reason)
    else:
        if thresholds.tuned is not None:
            figures["accuracy_tuned"] = cross_fitted_accuracy(scores, labels, default=default)
        if calibration is not None:
            figures |= _after(values, labels, calibration, why_not)
    return Settled(thresholds, calibration, about | figures | {"why_not": why_not})


def _nothing(default: float, about: dict[str, Any]) -> Settled:
    reason = (
        f"images of both classes are needed, got {about['num_real']} real and"
        f" {about['num_fake']} fake"
    )
    why_not = dict.fromkeys(("tuned", "max_fpr", "calibrated"), reason)
    details = about | dict.fromkeys(_FIGURES) | {"why_not": why_not}
    return Settled(Thresholds(default, None, None, None), None, details)


def _are_margins(values: NDArray[np.floating], scores: NDArray[np.floating]) -> bool:
    if values.shape != scores.shape:
        raise ValueError(f"values {values.shape} and scores {scores.shape} must be equally long")
    if np.array_equal(values, scores):
        return True
    if not np.allclose(sigmoid(values.astype(np.float64)), scores, rtol=0, atol=1e-6):
        raise ValueError("scores must be the sigmoids of the values, or the values themselves")
    return False


def _calibrate(
    values: NDArray[np.floating],
    labels: NDArray[np.integer],
    settings: JudgingSettings,
    why_not: dict[str, str],
) -> Calibration | None:
    if settings.calibrate == "none":
        why_not["calibrated"] = "no calibration was asked for"
        return None
    try:
        return fit_calibration(
            values, labels, method=settings.calibrate, fake_share=settings.fake_share
        )
    except SettingsError as error:  # The rest of what the images tell is still worth having.
        why_not["calibrated"] = str(error)
        return None


def _middle(calibration: Calibration | None, are_margins: bool) -> float | None:
    if calibration is None:
        return None
    middle = calibration.midpoint
    return middle if are_margins else float(sigmoid(np.array(middle)))


def _quality(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], when: str
) -> dict[str, float]:
    return {
        f"brier_{when}": brier_score(labels, probabilities),
        f"ece_{when}": expected_calibration_error(labels, probabilities),
    }


def _after(
    values: NDArray[np.floating],
    labels: NDArray[np.integer],
    calibration: Calibration,
    why_not: dict[str, str],
) -> dict[str, float]:
    try:
        probabilities = cross_fitted_probabilities(values, labels, calibration.method)
    except SettingsError as error:
        why_not["after"] = f"without some of the images: {error}"
        return {}
    return _quality(labels, probabilities, "after")
