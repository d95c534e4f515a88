"""Our figures on the paper's test sets beside its own, by the same sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ufd_ray.evaluation.means import GROUP, Row
from ufd_ray.evaluation.paper.figures import MEAN
from ufd_ray.evaluation.paper.rows import Cells, TableRow, accuracy_rows, precision_rows
from ufd_ray.evaluation.paper.sets import GROUPS, PAPER_SETS

Figures = Mapping[tuple[str, str], Mapping[str, Row]]
"""Detector and metric → test set → figure."""

_MEANS = GROUPS | {MEAN: tuple(PAPER_SETS)}
HEADINGS = PAPER_SETS | {"gan": "mean of GANs", "unseen": "mean of unseen", MEAN: "mean"}
"""Columns of the paper's tables, by key, in order."""


@dataclass(frozen=True)
class Compared:
    """A row of ours beside one of the paper's, both in per cent.

    Attributes:
        title: of ours.
        of_paper: what the paper calls its own.
        ours: by key of `HEADINGS`.
        theirs: likewise, of the same sets, as far as it is known.
    """

    title: str
    of_paper: str
    ours: Cells
    theirs: Cells

    @property
    def apart(self) -> dict[str, float]:
        """Ours less theirs, where both are known."""
        return {key: self.ours[key] - self.theirs[key] for key in self.ours if key in self.theirs}


def figures_of(rows: Iterable[Row]) -> Figures:
    """The figures of all sets, without means."""
    figures: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if not row.set.startswith(GROUP):
            figures.setdefault((row.detector, row.metric), {})[row.set] = row
    return figures


def own_cells(row: TableRow, figures: Figures) -> dict[str, float]:
    """A row's figures in per cent on the paper's sets, and their means."""
    ours = {name: 100 * found.value for name, found in figures[row.figure].items()}
    return _with_means(ours, [name for name in PAPER_SETS if name in ours])


def compared(row: TableRow, figures: Figures) -> list[Compared]:
    """A row of ours beside each of the paper's that it is compared with."""
    ours = own_cells(row, figures)
    there = [name for name in PAPER_SETS if name in ours]
    return [
        Compared(row.title, name, ours, _with_means(cells, there)) for name, cells in row.of_paper
    ]


def all_compared(rows: Iterable[Row], detectors: Sequence[str]) -> dict[str, list[Compared]]:
    """All rows that have one of the paper's: `Table 2` (average precision), `Table 3` (accuracy).

    Args:
        rows: all figures of all sets.
        detectors: in the order of rows.

    Returns:
        Nothing where no set is one of the paper's.
    """
    figures = figures_of(rows)
    if not any(name in PAPER_SETS for of_sets in figures.values() for name in of_sets):
        return {}
    found = {
        title: [one for row in of_table if row.figure in figures for one in compared(row, figures)]
        for title, of_table in (
            ("Table 2", precision_rows(detectors)),
            ("Table 3", accuracy_rows(detectors)),
        )
    }
    return {title: rows for title, rows in found.items() if rows}


def _with_means(cells: Cells, there: Sequence[str]) -> dict[str, float]:
    """The cells of the sets that are there, and the means over them where they are known."""
    found = {name: cells[name] for name in there if name in cells}
    for mean, members in _MEANS.items():
        meant = [name for name in there if name in members]
        if mean in cells and len(meant) == len(members):
            found[mean] = cells[mean]  # as printed: rounded once
        elif meant and all(name in found for name in meant):
            found[mean] = sum(found[name] for name in meant) / len(meant)
    return found
