"""Tables of a page: names with values, and grids of figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ufd_ray.report.page import escape


def facts(rows: Sequence[tuple[str, Any]]) -> str:
    """A table of two columns: names, and values as `run.json` has them."""
    cells = []
    for name, value in rows:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        text = f"{value:,}" if is_number else escape(_words(value))
        kind = " class=number" if is_number else ""
        cells.append(f"<tr><th scope=row>{escape(name)}</th><td{kind}>{text}</td></tr>")
    return f"<table>{''.join(cells)}</table>"


def grid(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of figures, the first column their names.

    Args:
        caption: what it shows, plain text.
        head: of the columns, as HTML.
        rows: cells as HTML, as many as the head has.
    """
    heads = "".join(f"<th scope=col{_kind(n)}>{cell}</th>" for n, cell in enumerate(head))
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td class=number>{cell}</td>" for cell in others)
        lines.append(f"<tr><th scope=row>{first}</th>{cells}</tr>")
    # What may be scrolled must be reached by keyboard, and then have a name.
    return (
        f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0">'
        f'<table class="grid"><caption><span>{escape(caption)}</span></caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _kind(place: int) -> str:
    return " class=number" if place else ""


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)
