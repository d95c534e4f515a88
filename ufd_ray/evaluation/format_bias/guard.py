"""A classifier that sees no picture, and how well it does.

Where it finds the fakes, the figures of a detector on these images say nothing of the detector:
it may have gone by the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.folds import deal_folds
from ufd_ray.evaluation.format_bias.apart import Apart, how_far_apart
from ufd_ray.evaluation.format_bias.columns import JPEG_KINDS, Columns
from ufd_ray.evaluation.intervals import Interval, balanced_accuracy_interval
from ufd_ray.evaluation.ranking_intervals import average_precision_interval
from ufd_ray.schema import FAKE, REAL

FEWEST = 20
"""Images of each class: with fewer, even files that are wholly unlike could not be warned of."""
MARGIN = 0.1
"""Of the way from chance to all right: the interval has to begin above it for a warning."""

_NUM_FOLDS = 5
_MOST = 2_000  # images of a class that are looked at
_NUM_TREES = 40
_SMALLEST_LEAF = 3


@dataclass(frozen=True)
class FormatBias:
    """How well real images and fakes of a set are told apart by their files.

    Attributes:
        n_real: images that were looked at.
        n_fake: likewise.
        chance: the average precision of guessing: the share of fakes.
        average_precision: of the classifier, on images that it was not fitted on; None: there are
            too few.
        accuracy: mean of both classes, likewise.
        telling: what tells the classes apart by itself, most first.
        lowest_quality: of their JPEGs, but for the worst hundredth; None: there are none.
    """

    n_real: int
    n_fake: int
    chance: float
    average_precision: Interval | None
    accuracy: Interval | None
    telling: tuple[Apart, ...]
    lowest_quality: int | None = None

    def shows_after(self, quality: int) -> bool:
        """Whether how they were compressed before still shows where all are saved anew.

        What a coarser compression took, a finer one does not bring back: encoders see it.

        Args:
            quality: at which they are.
        """
        differ = any(one.trait in JPEG_KINDS and one.apart > MARGIN for one in self.telling)
        return (
            self.found
            and differ
            and self.lowest_quality is not None
            and self.lowest_quality < quality
        )

    @property
    def found(self) -> bool:
        """Whether it is to be warned of."""
        if self.average_precision is None:
            return False
        return self.average_precision.low > self.chance + MARGIN * (1 - self.chance)


def find_bias(
    columns: Columns, labels: NDArray[np.integer], hashes: NDArray[np.object_], *, seed: int
) -> FormatBias:
    """Judge the images of a set by their files.

    A forest of 40 trees is cross-validated in five folds. Files of the very same bytes are in one
    fold, so that no image is judged by itself. Of more than 2,000 images of a class so many are
    drawn.

    Args:
        columns: (n,) each, from `traits_columns`.
        labels: (n,) integers, 0 real, 1 fake.
        hashes: (n,) str, of the files' bytes.
        seed: of draws, folds and trees.
    """
    rows = _drawn(labels, seed)
    labels, hashes = labels[rows], hashes[rows]
    columns = {name: column[rows] for name, column in columns.items()}
    num_real, num_fake = (int(np.count_nonzero(labels == label)) for label in (REAL, FAKE))
    chance = num_fake / max(1, len(labels))
    telling = how_far_apart(columns, labels) if num_real and num_fake else ()
    qualities = columns["quality"][columns["quality"] > 0]
    lowest = int(np.quantile(qualities, 0.01, method="lower")) if len(qualities) else None
    if not _are_enough(labels, hashes):
        return FormatBias(num_real, num_fake, chance, None, None, telling, lowest)
    scores = _cross_validated(columns, labels, hashes, seed)
    precision = average_precision_interval(
        labels, scores, groups=hashes, seed=seed, num_folds=_NUM_FOLDS
    )
    accuracy = balanced_accuracy_interval((scores > 0.5) == (labels == FAKE), labels)
    return FormatBias(num_real, num_fake, chance, precision, accuracy, telling, lowest)


def _are_enough(labels: NDArray[np.integer], hashes: NDArray[np.object_]) -> bool:
    return all(len(np.unique(hashes[labels == label])) >= FEWEST for label in (REAL, FAKE))


def _drawn(labels: NDArray[np.integer], seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(labels == label) for label in (REAL, FAKE)]
    few = [rng.choice(own, _MOST, replace=False) if len(own) > _MOST else own for own in rows]
    return np.sort(np.concatenate(few))


def _cross_validated(
    columns: Columns, labels: NDArray[np.integer], hashes: NDArray[np.object_], seed: int
) -> NDArray[np.float64]:
    """How fake each file is, 0 … 1, by trees that have not seen it."""
    from sklearn.ensemble import RandomForestClassifier  # half a second, for this guard alone

    matrix = np.column_stack(list(columns.values()))
    folds = deal_folds(hashes, labels, None, _NUM_FOLDS, seed)
    scores = np.empty(len(labels))
    for number in range(_NUM_FOLDS):
        held_out = folds.numbers == number
        forest = RandomForestClassifier(
            _NUM_TREES,
            min_samples_leaf=_SMALLEST_LEAF,
            class_weight="balanced",
            random_state=seed % 2**32,
        )
        forest.fit(matrix[~held_out], labels[~held_out])
        scores[held_out] = forest.predict_proba(matrix[held_out])[:, 1]
    return scores
