"""What a probe is worth on images that it was not fitted on: figures, thresholds, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.detectors import Probe, scores_of
from ufd_ray.errors import UfdError
from ufd_ray.evaluation import (
    Interval,
    accuracy_at,
    accuracy_interval,
    average_precision,
    average_precision_interval,
    settle,
)
from ufd_ray.evaluation.held_out import Settled
from ufd_ray.pipeline.fitting.rows import Rows
from ufd_ray.schema import FAKE, REAL
from ufd_ray.settings import JudgingSettings

DEFAULT_THRESHOLD = 0.5
CONFIDENCE = 0.95
"""Of the intervals around figures; that of the bound on flagged real images is a setting."""
FEWEST_SOURCES = 5


@dataclass(frozen=True, eq=False)
class Judged:
    """Labelled images, as a probe sees them that was not fitted on them.

    Attributes:
        labels: (n,) int8, 0 real, 1 fake.
        logits: (n,) float32.
        sources: (n,) strings or None, as objects.
        of: `val`, or `cross-validation`.
    """

    labels: npt.NDArray[np.int8]
    logits: npt.NDArray[np.float32]
    sources: npt.NDArray[np.object_]
    of: str

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """As `Probe.scores`."""
        return scores_of(self.logits)

    @property
    def has_both_classes(self) -> bool:
        """Whether anything can be said at all."""
        return len(np.unique(self.labels)) == 2


def logits_of(probe: Probe, rows: Rows) -> npt.NDArray[np.float32]:
    """What the probe says of rows of a bank.

    Raises:
        UfdError: an embedding is not finite.
    """
    try:
        return probe.logits(rows.embeddings)
    except ValueError as error:
        raise UfdError(f"the bank's validation images cannot be judged: {error}") from error


def settle_probe(judged: Judged, settings: JudgingSettings) -> Settled:
    """Thresholds and calibration from these images."""
    return settle(
        judged.logits,
        judged.scores,
        judged.labels,
        default=DEFAULT_THRESHOLD,
        settings=settings,
        of=judged.of,
    )


def figures(judged: Judged, num_folds: int | None = None) -> dict[str, Any] | None:
    """How the probe does on them at 0.5, with intervals; None where a class is missing.

    Args:
        judged: the images.
        num_folds: of the cross-validation that judged them, whose probes saw nearly the same
            images: its figures vary more than as many independent ones would.
    """
    if not judged.has_both_classes:
        return None
    labels, scores = judged.labels, judged.scores
    accuracy = accuracy_at(labels, scores, DEFAULT_THRESHOLD)
    right = (scores.astype(np.float64) > DEFAULT_THRESHOLD) == (labels == FAKE)
    groups = groups_of(judged)

    def interval(chosen: npt.NDArray[np.bool_]) -> list[float]:
        own = None if groups is None else groups[chosen]
        found = accuracy_interval(
            right[chosen], groups=own, confidence=CONFIDENCE, num_folds=num_folds
        )
        return _ends(found)

    precision = average_precision_interval(
        labels, scores, groups=groups, confidence=CONFIDENCE, num_folds=num_folds
    )
    return {
        "num_images": len(labels),
        "num_real": int(np.count_nonzero(labels == REAL)),
        "num_fake": int(np.count_nonzero(labels == FAKE)),
        "average_precision": average_precision(labels, scores),
        "accuracy": accuracy.overall,
        "accuracy_real": accuracy.real,
        "accuracy_fake": accuracy.fake,
        "intervals": {
            "confidence": CONFIDENCE,
            "counted": "images" if groups is None else "sources",
            "average_precision": _ends(precision),
            "accuracy": interval(np.ones(len(labels), bool)),
            "accuracy_real": interval(labels == REAL),
            "accuracy_fake": interval(labels == FAKE),
        },
    }


def groups_of(judged: Judged) -> npt.NDArray[np.int64] | None:
    """The source of each image, as a number, where it is sources that have to be counted.

    Images of one source are alike, so that a hundred of them are not a hundred witnesses. With
    fewer sources of a class than `FEWEST_SOURCES` nothing can be said about further ones: then the
    images are counted, and the figures are about these sources. An image without a source is one
    of its own.
    """
    for label in (REAL, FAKE):
        own = judged.sources[judged.labels == label]
        if len({source for source in own if source is not None}) < FEWEST_SOURCES:
            return None
    names = [source or f"\0{row}" for row, source in enumerate(judged.sources)]
    return np.unique(np.array(names), return_inverse=True)[1]


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
