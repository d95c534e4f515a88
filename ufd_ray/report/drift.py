"""Whether a run's scores lie as those of an earlier run: one test, and what it says in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from ufd_ray.report.histogram import NUM_BARS, Histogram
from ufd_ray.report.page import escape, name_of, percent

SIGNIFICANT = 0.01
"""Below such a p-value a difference is more than chance."""
NOTEWORTHY = 0.05
"""Share of the images that has to lie elsewhere before a difference is worth a warning: among a
million, every trifle is more than chance."""
_FEWEST_EXPECTED = 5


@dataclass(frozen=True)
class Earlier:
    """An earlier run with the same detectors.

    Attributes:
        run_id: its name.
        started_at: ISO 8601, UTC.
        histogram: of its scores, with the bins of the run that it is held against.
        num_fake: images that it called fake.
    """

    run_id: str
    started_at: str
    histogram: Histogram
    num_fake: int


@dataclass(frozen=True)
class Drift:
    """How two histograms differ.

    Attributes:
        statistic: χ² of homogeneity (Pearson) over the merged bins.
        degrees: of freedom, the number of these bins less one.
        p_value: that chance alone makes it as large, were all images independent.
        moved: total variation distance: the share of one's images that would have to lie in
            another bin for both to look alike; 0–1, whatever the numbers of images.
    """

    statistic: float
    degrees: int
    p_value: float
    moved: float


def find_drift(now: Histogram, then: Histogram) -> Drift | None:
    """Hold two histograms of the same bins against each other; None: too few images for that.

    Neighbouring bins are merged until each holds a twentieth of all images, and until five of the
    smaller run are expected in it.
    """
    counts = np.stack([now.counts, then.counts]).astype(np.float64)
    totals = counts.sum(axis=1)
    if totals.min() < 2 * _FEWEST_EXPECTED:
        return None
    merged = _merge(counts, totals)
    num_bins = merged.shape[1]
    if num_bins < 2:
        return None
    expected = totals[:, None] * merged.sum(axis=0) / totals.sum()
    statistic = float(((merged - expected) ** 2 / expected).sum())
    shares = merged / totals[:, None]
    return Drift(
        statistic,
        num_bins - 1,
        float(chdtrc(num_bins - 1, statistic)),
        float(np.abs(shares[0] - shares[1]).sum() / 2),
    )


def _merge(
    counts: npt.NDArray[np.float64], totals: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(2, n) → (2, m): bins that hold enough of both runs together, each."""
    pooled = counts.sum(axis=0)
    enough = max(totals.sum() / NUM_BARS, _FEWEST_EXPECTED * totals.sum() / totals.min())
    starts, held = [0], 0.0
    left = totals.sum()
    for place in np.flatnonzero(pooled):
        if held >= enough and left >= enough:
            starts.append(int(place))
            held = 0.0
        held += pooled[place]
        left -= pooled[place]
    if held < enough and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(counts, starts, axis=1)


def tell_drift(now: Histogram, num_fake: int, earlier: Earlier | str) -> list[str]:
    """The section of a page.

    Args:
        now: the run's scores.
        num_fake: images that it called fake.
        earlier: the run before it, or why there is none to compare with.
    """
    heading = "<h2>Since the run before</h2>"
    if isinstance(earlier, str):
        return [heading, f"<p>{escape(earlier)}</p>"]
    num_now, num_then = int(now.counts.sum()), int(earlier.histogram.counts.sum())
    compared = (
        f"Compared with the {num_then:,} scores of run {name_of(earlier.run_id)}, begun at"
        f" {escape(earlier.started_at)}: the last one here before this with the same detectors and"
        " thresholds."
    )
    found = find_drift(now, earlier.histogram)
    if found is None:
        return [heading, f"<p>{compared} They are too few, or too much alike, to test.</p>"]
    fake = (
        f"The run before called {percent(earlier.num_fake / num_then)} of its images fake, this one"
        f" {percent(num_fake / num_now)}."
    )
    figures = (
        f"χ² test of both histograms, {found.degrees + 1} merged bins: χ² = {found.statistic:,.1f},"
        f" {_chance(found.p_value)}; total variation distance {found.moved:.3f}. It takes images"
        " for independent, and does not know whether the images, their share of fakes or the"
        " generators have changed."
    )
    is_shift = found.p_value < SIGNIFICANT and found.moved >= NOTEWORTHY
    kind = ' class="warning"' if is_shift else ""
    return [
        heading,
        f"<p{kind}>{escape(_verdict(found))} {fake}</p>",
        f'<p class="note">{compared} {escape(figures)}</p>',
    ]


def _verdict(found: Drift) -> str:
    moved = f"{percent(found.moved)} of the images would have to score otherwise"
    if found.p_value >= SIGNIFICANT:
        return "The scores lie as those of the run before, as far as so many images can tell."
    if found.moved < NOTEWORTHY:
        return f"The scores have hardly moved: {moved} for both runs to look alike."
    return f"The scores have moved: {moved} for both runs to look alike. Look at what has changed."


def _chance(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
