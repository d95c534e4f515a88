"""A demo run's scores → how well each detector does on each generator, at three thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.demo.pictures import GENERATORS
from ufd_ray.detectors import fit_calibration
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import accuracy_at, average_precision
from ufd_ray.schema import FAKE, REAL

NUM_LABELLED = 10
"""Images of each class that are labelled by hand, as it were."""
NUM_DRAWS = 20
"""Draws of such images, over which figures are averaged: a single one is as good as its luck."""


@dataclass(frozen=True)
class Detector:
    """Whose figures.

    Attributes:
        value: the column that is calibrated.
        score: the column that thresholds are for.
        default: threshold without any labelled images.
        tuned: threshold from held-out images of the generator trained on; None if there is none.
    """

    value: str
    score: str
    default: float
    tuned: float | None


@dataclass(frozen=True)
class Figures:
    """Of one detector on one generator, against all photographs; all 0 … 1.

    Attributes:
        average_precision: how well fakes are ranked above photographs.
        at_default: accuracy at the default threshold.
        at_tuned: accuracy at the tuned one; None if there is none.
        labelled: mean accuracy of "probability over one half", calibrated on a few labelled images
            of this generator and as many photographs, judged on all others; None where no draw of
            them could be calibrated on.
    """

    average_precision: float
    at_default: float
    at_tuned: float | None
    labelled: float | None


def figures_by_generator(
    scores: Any, detectors: Sequence[Detector], seed: int
) -> dict[str, list[Figures]]:
    """Judge every detector on every generator.

    Args:
        scores: `pa.Table` of scored images, with the manifest's columns `label` and `source`.
        detectors: whose columns.
        seed: draws the images that are labelled.

    Returns:
        By generator, in the order of `GENERATORS`: figures in the order of `detectors`.
    """
    labels = np.asarray(scores["label"], np.int8)
    sources = np.asarray(scores["source"].to_pylist())
    found = {}
    for name in GENERATORS:
        chosen = (labels == REAL) | (sources == name)
        found[name] = [
            _judge(
                d,
                labels[chosen],
                scores[d.value].to_numpy()[chosen],
                scores[d.score].to_numpy()[chosen],
                seed,
            )
            for d in detectors
        ]
    return found


def _judge(
    detector: Detector,
    labels: npt.NDArray[np.int8],
    values: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    seed: int,
) -> Figures:
    tuned = detector.tuned
    return Figures(
        average_precision=average_precision(labels, values),
        at_default=accuracy_at(labels, scores, detector.default).overall,
        at_tuned=None if tuned is None else accuracy_at(labels, scores, tuned).overall,
        labelled=_calibrated_on_a_few(labels, values, seed),
    )


def _calibrated_on_a_few(
    labels: npt.NDArray[np.int8], values: npt.NDArray[np.float32], seed: int
) -> float | None:
    rng = np.random.default_rng(seed)
    accuracies = []
    for _ in range(NUM_DRAWS):
        given = np.zeros(len(labels), bool)
        for label in (REAL, FAKE):
            own = np.flatnonzero(labels == label)
            given[rng.choice(own, NUM_LABELLED, replace=False)] = True
        try:
            found = fit_calibration(values[given], labels[given], method="platt")
        except SettingsError:  # These few rank the wrong way round: they say that it is no use.
            continue
        probabilities = found.probabilities(values[~given])
        accuracies.append(accuracy_at(labels[~given], probabilities, 0.5).overall)
    return float(np.mean(accuracies)) if accuracies else None
