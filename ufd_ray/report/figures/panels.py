"""Small panels side by side, one for each test set, and what stands above and below them all."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ufd_ray.report.figures.names import shown

MOST_PANELS = 20
"""Test sets in one figure: the paper's 19 have room."""
_LETTERS_PER_INCH = 14
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4}
_PANELS = {1: (5.2, 3.6), 2: (3.3, 2.6), 3: (2.8, 2.3), 4: (2.3, 2.0), 5: (1.95, 1.75)}
"""Width and height of a panel, inches, by panels in a row."""
_TICKS = {1: 8, 2: 6, 3: 5, 4: 4, 5: 3}
"""Steps between ticks of the x axis, by panels in a row."""


def panel_inches(num_panels: int) -> tuple[int, tuple[float, float]]:
    """How many panels stand in a row, and the size of the figure that holds them all, inches.

    Raises:
        ValueError: there are none.
    """
    if not num_panels:
        raise ValueError("nothing to draw: no test set")
    columns = _COLUMNS.get(num_panels, 5)
    width, height = _PANELS[columns]
    rows = math.ceil(num_panels / columns)
    return columns, (max(columns * width + 0.4, 5.6), rows * height + 1.1)


def panel_grid(figure: Any, titles: Sequence[str], columns: int, x_label: str, y_label: str) -> Any:
    """Axes of the same scales, row by row, one for each title.

    Args:
        figure: an empty one.
        titles: what stands above each.
        columns: panels in a row.
        x_label: below the lowest of each column.
        y_label: at their left.

    Returns:
        List of `matplotlib.axes.Axes`.
    """
    rows = math.ceil(len(titles) / columns)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in grid[len(titles) :]:
        axes.remove()
    there = list(grid[: len(titles)])
    for place, (axes, title) in enumerate(zip(there, titles, strict=True)):
        axes.set_title(title)
        axes.locator_params(axis="x", nbins=_TICKS[columns])
        if lowest := place + columns >= len(titles):
            axes.set_xlabel(x_label, fontsize=8)
        axes.tick_params(labelbottom=lowest)
    figure.supylabel(y_label, fontsize=9)
    return there


def put_heading(figure: Any, title: str, about: str = "") -> None:
    """A title, and in smaller type under it what has to be known, broken to the figure's width.

    Args:
        figure: whose.
        title: one line.
        about: some sentences of our own.
    """
    room = int(_LETTERS_PER_INCH * figure.get_figwidth())
    lines = [shown(title, room), *textwrap.wrap(about, room)]
    figure.suptitle("\n".join(lines), fontsize=9, x=0.01, ha="left")


def put_legend(figure: Any, handles: Mapping[str, Any]) -> None:
    """What lines and areas are, below all panels. `handles`: name → what was drawn."""
    # Handed over one by one: by itself the library leaves out names with an underscore ahead.
    names = [shown(name) for name in handles]
    room = max(1, int(figure.get_figwidth() / 1.9))
    figure.legend(
        list(handles.values()),
        names,
        loc="outside lower center",
        ncols=math.ceil(len(names) / math.ceil(len(names) / room)),
        handlelength=3.2,
    )
