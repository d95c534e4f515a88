"""A trained network on the validation images, made as test images are: scores and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from torch import nn

from ufd_ray.baselines import Baseline, score_pixels
from ufd_ray.detectors import tuned_threshold
from ufd_ray.errors import UfdError
from ufd_ray.evaluation import ScoreColumn, judge
from ufd_ray.pipeline.data_parallel.collective import agreed, in_order
from ufd_ray.pipeline.training.course import places_of
from ufd_ray.pipeline.training.lookups import Lookup
from ufd_ray.pipeline.training.order import share_of
from ufd_ray.pipeline.training.pictures import TEST, VAL
from ufd_ray.pipeline.training.stepping import AT_ONCE
from ufd_ray.pipeline.training.stream import Reading, Stream
from ufd_ray.schema import FAKE, REAL

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class ValidationScores:
    """The validation images, as a network sees them that was not trained on them.

    Attributes:
        labels: (n,) int8, 0 real, 1 fake.
        scores: (n,) float32, P(generated).
        num_failed: further ones that could not be read this time.
    """

    labels: NDArray[np.int8]
    scores: NDArray[np.float32]
    num_failed: int = 0

    @property
    def num_images(self) -> int:
        """All that were wanted."""
        return len(self.labels) + self.num_failed


def score_validation(
    baseline: Baseline,
    network: nn.Module,
    images: Any,
    reading: Reading,
    *,
    rank: int,
    world_size: int,
) -> ValidationScores:
    """Score the validation images. Called by every worker alike.

    Args:
        baseline: whose network it is.
        network: trained; in eval mode afterwards.
        images: reference to the `pa.Table` of `Surveyed`.
        reading: how pictures are read.
        rank: this worker's number.
        world_size: number of workers.

    Raises:
        UfdError: pictures cannot be read, or a score is not finite; on all workers alike.
    """
    network.eval()
    wanted = places_of(ray.get(images), VAL)
    mine = share_of(wanted, rank, world_size)
    found, said, own = agreed(lambda: _score(baseline, network, images, reading, mine))
    labels, scores = in_order(own, found), in_order(own, said)
    if not np.isfinite(scores).all():
        raise UfdError("the trained network gives scores that are not finite numbers")
    num_failed = len(wanted) - len(labels)
    return ValidationScores(labels.astype(np.int8), scores.astype(np.float32), num_failed)


def judge_validation(
    validated: ValidationScores, seed: int
) -> tuple[dict[str, float | None], dict[str, Any] | None]:
    """Thresholds, and figures, from images that were not trained on.

    Of what comes of the tuned threshold these very images can say nothing.

    Args:
        validated: what the network said of them.
        seed: of the draws for intervals.

    Returns:
        `default` and `tuned` (None: none does better than guessing, or a class is missing); figures
        by name, of them `num_real` and `num_fake`; None where a class is missing.
    """
    labels, scores = validated.labels, validated.scores
    num_real, num_fake = (int(np.count_nonzero(labels == label)) for label in (REAL, FAKE))
    thresholds: dict[str, float | None] = {"default": DEFAULT_THRESHOLD, "tuned": None}
    if not (num_real and num_fake):
        return thresholds, None
    thresholds["tuned"] = tuned_threshold(scores, labels, default=DEFAULT_THRESHOLD)
    column = ScoreColumn("baseline", DEFAULT_THRESHOLD)
    figures = {one.metric: one.value for one in judge(labels, scores, column, seed=seed)}
    return thresholds, {"num_real": num_real, "num_fake": num_fake, **figures}


def _score(
    baseline: Baseline, network: nn.Module, images: Any, reading: Reading, places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Labels, scores and places of those that could be read."""
    stream = Stream(images, [Lookup(places, TEST)], reading)
    found = [stream.none()]
    scores = [np.empty(0, np.float32)]
    for start in range(0, len(places), AT_ONCE):
        found.append(stream.take(min(AT_ONCE, len(places) - start)))
        scores.append(score_pixels(baseline, network, found[-1].pixels))
    return (
        np.concatenate([one.labels for one in found]),
        np.concatenate(scores),
        np.concatenate([one.places for one in found]),
    )
