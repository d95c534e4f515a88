"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence


def cell_text(text: str) -> str:
    """Names of strangers in one cell: text, whatever Markdown or HTML they may be."""
    return re.sub(r"([\\|<>\[\]`])", r"\\\1", " ".join(text.split()))


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose first column names its rows, and whose others hold figures.

    Args:
        heads: of the columns, as Markdown.
        rows: cells likewise, as many as there are heads.
    """
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
