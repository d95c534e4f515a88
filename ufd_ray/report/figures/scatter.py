"""Embeddings as points: colour says real or fake, shape says whether the detector knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.report.figures.drawing import Drawing, draw
from ufd_ray.report.figures.panels import put_heading, put_legend
from ufd_ray.report.figures.styles import CLASS_COLORS, CLASS_WORDS

_INCHES = (6.6, 6.2)
_POINT = 16.0
Group = tuple[int, bool]
"""Label, and whether the images are in the bank (seen)."""


def scatter_figure(groups: Mapping[Group, NDArray[np.floating]], title: str, about: str) -> Drawing:
    """Draw points in the plane; of axes, only that they are of the same scale means anything.

    Args:
        groups: label and seen → points (n, 2).
        title: above the figure.
        about: how they came about.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not groups:
        raise ValueError("nothing to draw: no points")

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        handles = {
            f"{CLASS_WORDS[label]}, {'seen' if seen else 'unseen'} ({len(points):,})": axes.scatter(
                points[:, 0], points[:, 1], **_style(label, seen)
            )
            for (label, seen), points in groups.items()
        }
        axes.set(xticks=(), yticks=(), aspect="equal")
        axes.spines[:].set_visible(False)
        put_heading(figure, title, about)
        put_legend(figure, handles)

    return draw(_INCHES, paint)


def _style(label: int, seen: bool) -> dict[str, Any]:
    color = CLASS_COLORS[label]
    if seen:
        return {"s": 0.7 * _POINT, "marker": "o^"[label], "color": color, "linewidths": 0}
    # Hollow, in the shape of its class: real circles and squares, fake triangles and crosses.
    if CLASS_WORDS[label] == "real":
        return {"s": _POINT, "marker": "s", "facecolors": "none", "edgecolors": color}
    return {"s": _POINT, "marker": "x", "color": color, "linewidths": 0.9}
