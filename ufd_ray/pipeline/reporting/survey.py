"""One pass over a run's rows: counts by source, agreement, and the images to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ufd_ray.pipeline.reporting.picks import Lowest, OneOfEach
from ufd_ray.pipeline.reporting.places import counts_by_source
from ufd_ray.report import Agreement, SourceCounts
from ufd_ray.schema import DECIDING, DETECTION, IMAGE

NUM_CARDS = 12
"""Images in a gallery."""
NUM_APART = 6
"""Images on which probe and neighbours disagree that are shown."""
_OF_SHARES = np.arange(1, NUM_CARDS) / NUM_CARDS
# Most margins are hundredths: strata that widen with the distance from 0 all have some.
_OF_MARGINS = np.array([-0.1, -0.05, -0.02, -0.01, -0.005, 0, 0.005, 0.01, 0.02, 0.05, 0.1])
_COLUMNS = ("position", *(field.name for field in (*IMAGE, *DETECTION)))


class Survey:
    """What a page tells of a run, but for thumbnails.

    Args:
        detectors: of `run.json`.

    Attributes:
        sources: images by source.
        agreement: of probe and neighbours; None: one of them is missing.
    """

    def __init__(self, detectors: dict[str, Any]) -> None:
        decider, threshold = detectors["decided_by"], float(detectors["threshold"])
        self._column, self._threshold = DECIDING[decider], threshold
        self.sources = SourceCounts()
        self.agreement = _agreement(detectors, decider, threshold)
        self._highest, self._unsure = Lowest(NUM_CARDS), Lowest(NUM_CARDS)
        self._apart = Lowest(NUM_APART)
        self._strata = OneOfEach(_OF_MARGINS if decider == "margin" else _OF_SHARES)

    def add(self, rows: Any) -> None:
        """Take rows into account: `pa.Table` of `SCORES`, `position`, and what else there is."""
        self.sources.add(counts_by_source(rows))
        is_scored = np.asarray(pc.equal(rows["status"], "scored"))
        apart = self._find_apart(rows, is_scored)
        # The same bytes are looked at once.
        shown = is_scored & np.asarray(pc.is_null(rows["duplicate_of"]))
        own = rows.select(_COLUMNS)
        scores = np.asarray(rows[self._column], np.float64)
        distances = np.abs(scores - self._threshold)
        self._highest.add(own, -scores, shown)
        self._unsure.add(own, distances, shown)
        self._apart.add(own, -distances, shown & apart)
        self._strata.add(own, scores, shown)

    def _find_apart(self, rows: Any, is_scored: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        found = self.agreement
        if found is None:
            return np.zeros(len(rows), np.bool_)
        # Of images without a score neither says anything: what is not a number is above nothing.
        probe: npt.NDArray[np.bool_] = np.asarray(rows["probe_score"]) > found.probe_above
        numbers = np.asarray(rows[f"nn_{found.neighbors_say}"])
        voted: npt.NDArray[np.bool_] = numbers > found.neighbors_above
        found.add(probe[is_scored], voted[is_scored])
        return np.not_equal(probe, voted)

    def picks(self) -> dict[str, list[dict[str, Any]]]:
        """The images to look at: `suspicious`, `unsure`, `apart` and `sample`, each as rows."""
        return {
            "suspicious": self._highest.rows(),
            "unsure": self._unsure.rows(),
            "apart": self._apart.rows(),
            "sample": self._strata.rows(),
        }


def _agreement(detectors: dict[str, Any], decider: str, threshold: float) -> Agreement | None:
    if detectors["bank"] is None or detectors["probe"] is None:
        return None
    own = (detectors.get("probe_thresholds") or {}).get("default")
    probe_above = threshold if decider == "probe" else 0.5 if own is None else float(own)
    if decider == "margin":
        return Agreement(probe_above, "margin", threshold)
    return Agreement(probe_above, "vote", threshold if decider == "neighbors" else 0.5)
