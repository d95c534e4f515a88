"""Everything between a batch of embeddings and what is said of them: scores, evidence, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.calibration import Calibration
from ufd_ray.detectors.neighbor_scores import margin, mean_margin, vote
from ufd_ray.detectors.neighbors import Embeddings, Neighbors
from ufd_ray.detectors.probe import Probe, scores_of
from ufd_ray.detectors.search import SearchCounts
from ufd_ray.detectors.verdict import verdicts
from ufd_ray.errors import ErrorCode, ModelError, SettingsError
from ufd_ray.schema import DECIDING, FAKE, MEAN_MARGIN, REAL

OVERFLOWS = ModelError(
    ErrorCode.NOT_FINITE, "the probe's logit of this embedding is no finite float32"
)
"""What is said of an embedding so large that the probe has no number for it."""


class Search(Protocol):
    """Whatever finds neighbours in a bank: `NeighborSearch`, or several of them as one."""

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        leave_out: NDArray[np.int64] | None = None,
        per_class: int = 1,
    ) -> Neighbors:
        """As `NeighborSearch.search`."""
        ...


@dataclass(frozen=True, eq=False)
class Detected:
    """What was said of n embeddings.

    Attributes:
        usable: (n,) of which anything could be said; m of them are.
        columns: (m,) values each, by the name of a column of `DETECTION`; those that nobody could
            fill are not in it. Mean margins go by `MEAN_MARGIN` and k.
        neighbor_rows: (m, k) rows of what was searched, nearest first; None: nothing was.
        neighbor_similarity: (m, k) float64, cosine; None likewise.
        counts: how the neighbours were found; None likewise.
    """

    usable: NDArray[np.bool_]
    columns: dict[str, NDArray[Any]]
    neighbor_rows: NDArray[np.int64] | None = None
    neighbor_similarity: NDArray[np.float64] | None = None
    counts: SearchCounts | None = None


class Detector:
    """Probe and neighbours, one of which decides.

    Args:
        probe: the linear probe; None: no probe.
        calibration: of the probe's logits; None: no probabilities.
        search: where neighbours are searched; None: no neighbours.
        labels: (n,) int8 of the rows that are searched, 0 real, 1 fake; None: no neighbours.
        decider: `probe`, `neighbors` or `margin`: whose word the verdict is.
        threshold: deciding score above which an image counts as fake, on that score's scale.
        unsure_above: deciding score above which one that does not is unsure; None: none is.
        k: neighbours that vote.
        radius: cosine distance to the nearest image, real or fake, over which an image lies outside
            of the bank; None: nothing is said of that.
        mean_ks: numbers of neighbours of each class; for each, the margin of mean distances to
            them is a column. Runs have none.

    Raises:
        SettingsError: the margin is to decide, and there are no images of one of the classes.
    """

    def __init__(
        self,
        *,
        probe: Probe | None,
        calibration: Calibration | None,
        search: Search | None,
        labels: NDArray[np.int8] | None,
        decider: str,
        threshold: float,
        unsure_above: float | None,
        k: int,
        radius: float | None = None,
        mean_ks: Sequence[int] = (),
    ) -> None:
        self._probe = probe
        self._calibration = calibration
        self._decider = decider
        self._threshold = threshold
        self._unsure_above = unsure_above
        self._k = k
        self._radius = radius
        self._mean_ks = mean_ks
        self._search = search
        self._labels = np.empty(0, np.int8) if labels is None else labels
        if search is not None and decider == "margin":
            _require_both_classes(self._labels)

    def detect(self, embeddings: Embeddings) -> Detected:
        """Score a batch.

        Args:
            embeddings: (n, d) float32 or float16, finite and nowhere zero; n may be 0.

        Returns:
            Of every embedding the same bits, whatever the others are.
        """
        usable = np.ones(len(embeddings), bool)
        columns: dict[str, NDArray[Any]] = {}
        if self._probe is not None:
            logits = self._probe.weigh(embeddings)
            usable = np.isfinite(logits)
            logits, embeddings = logits[usable], embeddings[usable]
            columns["probe_logit"] = logits
            columns["probe_score"] = scores_of(logits)
            if self._calibration is not None:
                columns["probe_probability"] = self._calibration.probabilities(logits)
        rows = similarity = counts = None
        if self._search is not None:
            per_class = max(self._mean_ks, default=1)
            near = self._search.search(embeddings, self._k, per_class=per_class)
            columns["nn_vote"] = vote(near, self._labels)
            columns["nn_margin"] = margin(near)
            columns["nn_real_distance"] = np.maximum(1.0 - near.real_similarity, 0.0)
            columns["nn_fake_distance"] = np.maximum(1.0 - near.fake_similarity, 0.0)
            if self._radius is not None:
                columns["out_of_bank"] = _lies_outside(near, self._radius)
            for k in self._mean_ks:
                columns[f"{MEAN_MARGIN}{k}"] = mean_margin(near, k)
            rows, similarity, counts = near.index, near.similarity, near.counts
        deciding = columns[DECIDING[self._decider]]
        columns["verdict"] = verdicts(deciding, self._threshold, self._unsure_above)
        return Detected(usable, columns, rows, similarity, counts)


def _lies_outside(near: Neighbors, radius: float) -> NDArray[np.bool_]:
    # By the distance as the row has it, in float32: whoever compares its columns finds the same.
    nearest = np.maximum(1.0 - np.fmax(near.real_similarity, near.fake_similarity), 0.0)
    return nearest.astype(np.float32).astype(np.float64) > radius


def _require_both_classes(labels: NDArray[np.int8]) -> None:
    for label, name in ((REAL, "real"), (FAKE, "fake")):
        if not (labels == label).any():
            raise SettingsError(
                f"--decide-by margin: the bank has no {name} images to search, so no margin either"
            )
