"""What is there for whoever opens it: further tables, below a line that says which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ufd_ray.report.facts import grid
from ufd_ray.report.page import escape, name_of, plain_name

_LONGEST_LINE = 1000
_LONGEST_CELL = 60


@dataclass(frozen=True)
class Table:
    """A table of plain text.

    Attributes:
        caption: what it shows.
        head: of the columns.
        rows: cells, as many as the head has.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Folded:
    """Tables that belong together, all of it plain text.

    Attributes:
        title: of them.
        words: what has to be known to read them, a paragraph each.
        tables: of figures.
        figures: names of drawings that go with them, without their ending.
    """

    title: str
    words: Sequence[str]
    tables: Sequence[Table]
    figures: Sequence[str] = ()


def fold(title: str, body: Sequence[str]) -> list[str]:
    """HTML below a line that opens it; the line is HTML as well."""
    return [f"<details><summary>{title}</summary>", *body, "</details>"]


def tell_folded(folded: Folded, figures: Sequence[str] = ()) -> list[str]:
    """The tables as HTML.

    Args:
        folded: what is told.
        figures: its drawings as HTML.
    """
    words = [f"<p>{name_of(line, _LONGEST_LINE)}</p>" for line in folded.words]
    tables = [
        grid(
            table.caption,
            [_shown(cell) for cell in table.head],
            [[_shown(cell) for cell in row] for row in table.rows],
        )
        for table in folded.tables
    ]
    return fold(escape(folded.title), [*words, *tables, *figures])


def _shown(cell: str) -> str:
    return escape(plain_name(cell, _LONGEST_CELL))
