"""Precision-recall and ROC curves: a panel a test set, a line a detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.report.figures.drawing import Drawing, draw
from ufd_ray.report.figures.names import shown
from ufd_ray.report.figures.panels import panel_grid, panel_inches, put_heading, put_legend
from ufd_ray.report.figures.styles import line_style

Line = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Points of a line: x (n,), y (n,)."""


@dataclass(frozen=True)
class CurveTexts:
    """What is written on a figure of curves.

    Attributes:
        title: above it.
        about: what has to be known, under the title.
        x_label: below it.
        y_label: at its left.
        chance: what the line of mere chance is called.
    """

    title: str
    about: str
    x_label: str
    y_label: str
    chance: str = "chance"


def curves_figure(
    panels: Mapping[str, Mapping[str, Line]],
    chance: Sequence[tuple[float, float]],
    texts: CurveTexts,
) -> Drawing:
    """Draw curves.

    Args:
        panels: test set → detector → points, each from 0 to 1; the same detectors in all.
        chance: of each panel, where the line of chance is at x = 0 and at x = 1.
        texts: what is written.

    Raises:
        ValueError: there is nothing to draw.
    """
    columns, inches = panel_inches(len(panels))

    def paint(figure: Any) -> None:
        titles = [shown(name) for name in panels]
        grid = panel_grid(figure, titles, columns, texts.x_label, texts.y_label)
        handles: dict[str, Any] = {}
        for axes, lines, ends in zip(grid, panels.values(), chance, strict=True):
            (guess,) = axes.plot((0, 1), ends, color="0.6", linewidth=0.9)
            for number, (name, (x, y)) in enumerate(lines.items()):
                style = line_style(number, with_markers=False)
                (handles[name],) = axes.plot(x, y, **style)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
            axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        put_heading(figure, texts.title, texts.about)
        put_legend(figure, {**handles, texts.chance: guess})

    return draw(inches, paint)
