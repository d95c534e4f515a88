"""How a detector's scores lie: real images and fakes over the same bins, a panel a test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.report.figures.drawing import Drawing, draw
from ufd_ray.report.figures.names import shown
from ufd_ray.report.figures.panels import panel_grid, panel_inches, put_heading, put_legend
from ufd_ray.report.figures.styles import CLASS_COLORS, CLASS_WORDS
from ufd_ray.schema import FAKE, REAL


def score_bars_figure(
    panels: Mapping[str, NDArray[np.int64]],
    edges: NDArray[np.floating],
    threshold: float,
    detector: str,
    about: str = "",
) -> Drawing:
    """Draw histograms: real images filled, fakes hatched, each class by itself 100 %.

    Args:
        panels: test set → images by class and bin, (2, bins), real first.
        edges: of the bins, (bins + 1,).
        threshold: over which the detector calls an image fake.
        detector: whose scores they are.
        about: what else has to be known.

    Raises:
        ValueError: there is nothing to draw.
    """
    columns, inches = panel_inches(len(panels))

    def paint(figure: Any) -> None:
        titles = [shown(name) for name in panels]
        y_label = "images of the class, %"
        grid = panel_grid(figure, titles, columns, shown(detector, 60), y_label)
        handles: dict[str, Any] = {}
        for axes, counts in zip(grid, panels.values(), strict=True):
            shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            handles[CLASS_WORDS[REAL]] = axes.stairs(
                shares[REAL], edges, fill=True, color=CLASS_COLORS[REAL]
            )
            handles[CLASS_WORDS[FAKE]] = axes.stairs(
                shares[FAKE],
                edges,
                fill=True,
                facecolor="none",
                edgecolor=CLASS_COLORS[FAKE],
                hatch="////",
                linewidth=1.2,
            )
            line = axes.axvline(threshold, color="0.1", linestyle=":", linewidth=1.2)
            beyond = 0.01 * (edges[-1] - edges[0])
            axes.set_xlim(edges[0] - beyond, edges[-1] + beyond)
        put_heading(figure, f"Scores of {detector}", about)
        put_legend(figure, {**handles, f"threshold {threshold:.4g}": line})

    return draw(inches, paint)
