"""Shares of flagged images by source: counted in bounded memory, told with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ufd_ray.report.facts import grid
from ufd_ray.report.page import escape, name_of, percent

MOST_SHOWN = 20
MOST_KEPT = 20_000
"""Sources that stay in memory when there are more than twice as many."""
LONGEST = 500
"""Characters by which sources are told apart."""
_Z = 1.959963984540054  # of a normal distribution, 95 % lie within so many deviations


@dataclass
class Counts:
    """Of one source: all images, those that have a score, and of these those called fake."""

    images: int = 0
    scored: int = 0
    flagged: int = 0

    def add(self, images: int, scored: int, flagged: int) -> None:
        """Count some more."""
        self.images += images
        self.scored += scored
        self.flagged += flagged


@dataclass
class SourceCounts:
    """Counts by source, the smallest of very many put together.

    Attributes:
        by_name: of those that are still told apart.
        rest: of those that are not, together.
        num_dropped: how often one was put there.
        most_missed: images by which the counts of any one may be too small.
        most_kept: of `by_name`, when there are more than twice as many.
    """

    by_name: dict[str, Counts] = field(default_factory=dict)
    rest: Counts = field(default_factory=Counts)
    num_dropped: int = 0
    most_missed: int = 0
    most_kept: int = MOST_KEPT

    def add(self, counted: Iterable[tuple[str, int, int, int]]) -> None:
        """Count some images: sources, each with the numbers that `Counts` has."""
        for name, *numbers in counted:
            self.by_name.setdefault(name[:LONGEST], Counts()).add(*numbers)
        if len(self.by_name) <= 2 * self.most_kept:
            return
        ordered = self.largest()
        dropped = ordered[self.most_kept :]
        self.most_missed += dropped[0][1].images
        self.num_dropped += len(dropped)
        for name, counts in dropped:
            self.rest.add(counts.images, counts.scored, counts.flagged)
            del self.by_name[name]

    def largest(self) -> list[tuple[str, Counts]]:
        """All that are told apart, the most images first, then by name."""
        return sorted(self.by_name.items(), key=lambda pair: (-pair[1].images, pair[0]))


def wilson(num: int, of: int) -> tuple[float, float]:
    """Ends of the 95 % interval of a share (Wilson 1927, score interval without continuity).

    Args:
        num: how many.
        of: out of how many; of none, nothing is known: 0 to 1.
    """
    if of == 0:
        return 0.0, 1.0
    share, square = num / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(share * (1 - share) / of + square / of / 4)
    low = 0.0 if num == 0 else max(0.0, middle - half)
    return low, 1.0 if num == of else min(1.0, middle + half)


def tell_sources(counts: SourceCounts) -> list[str]:
    """The section of a page; none where there are no images."""
    ordered = counts.largest()
    if not ordered:
        return []
    rest = Counts(**vars(counts.rest))
    for _, behind in ordered[MOST_SHOWN:]:
        rest.add(behind.images, behind.scored, behind.flagged)
    rows = [_row(name_of(name), found) for name, found in ordered[:MOST_SHOWN]]
    if rest.images:
        how_many = "all others" if counts.num_dropped else f"{len(ordered) - MOST_SHOWN:,} others"
        rows.append(_row(how_many, rest))
    head = ("source", "images", "scored", "called fake", "share", "95 % interval")
    notes = (
        "By the manifest’s source; without one, by the host or bucket of the URI, of local files"
        " by their folder. Shares are of scored images; intervals (Wilson) take images for"
        " independent of each other."
    )
    if counts.most_missed:
        notes += (
            " There are so many sources that the smallest were put together on the way: counts of"
            f" any one may be too small by up to {counts.most_missed:,}."
        )
    return [
        "<h2>Called fake, by source</h2>",
        grid("Images called fake by source, the largest first", head, rows),
        f'<p class="note">{escape(notes)}</p>',
    ]


def _row(name: str, counts: Counts) -> list[str]:
    numbers = [f"{n:,}" for n in (counts.images, counts.scored, counts.flagged)]
    if not counts.scored:
        return [name, *numbers, "–", "–"]
    low, high = wilson(counts.flagged, counts.scored)
    share = percent(counts.flagged / counts.scored)
    return [name, *numbers, share, f"{100 * low:.1f}–{100 * high:.1f} %"]
