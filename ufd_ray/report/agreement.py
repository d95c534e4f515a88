"""Where probe and neighbours say the same, and where they do not."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ufd_ray.report.facts import grid
from ufd_ray.report.page import escape, percent


@dataclass(frozen=True)
class Agreement:
    """Both verdicts on every scored image.

    Attributes:
        probe_above: score above which the probe says fake.
        neighbors_say: `vote` or `margin`.
        neighbors_above: vote or margin above which the neighbours do.
        counts: (2, 2) int64: by the probe (0 real, 1 fake), then by the neighbours.
    """

    probe_above: float
    neighbors_say: str
    neighbors_above: float
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 2), np.int64))

    def add(self, probe: npt.NDArray[np.bool_], neighbors: npt.NDArray[np.bool_]) -> None:
        """Count images: (n,) each, whether it is called fake."""
        np.add.at(self.counts, (probe.astype(np.intp), neighbors.astype(np.intp)), 1)


def tell_agreement(agreement: Agreement | None) -> list[str]:
    """The section of a page; none where one of the two is missing, or nothing was scored."""
    if agreement is None or not agreement.counts.any():
        return []
    counts, total = agreement.counts, int(agreement.counts.sum())
    apart = int(counts[0, 1] + counts[1, 0])
    said = (
        f"Probe and neighbours disagree on {apart:,} of {total:,} images ({percent(apart / total)})"
        f": the probe says fake above {agreement.probe_above:g}, the neighbours above a"
        f" {agreement.neighbors_say} of {agreement.neighbors_above:g}."
    )
    rows = [
        [f"{word} by the probe", *(f"{int(n):,}" for n in line)]
        for word, line in zip(("real", "fake"), counts, strict=True)
    ]
    head = ("called", "real by neighbours", "fake by neighbours")
    return [
        "<h2>Probe and neighbours</h2>",
        f"<p>{escape(said)}</p>",
        grid("Images by what the probe and the neighbours call them", head, rows),
    ]
