"""Whether a score may be read as a probability: share of fakes over the score, a panel a set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.report.figures.drawing import Drawing, draw
from ufd_ray.report.figures.names import shown
from ufd_ray.report.figures.panels import panel_grid, panel_inches, put_heading, put_legend

_NAME_LETTERS = {1: 28, 2: 28, 3: 26, 4: 24, 5: 20}
"""Of a test set's name, by panels in a row."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """What scores came to, in bins of equal width over 0 … 1.

    Attributes:
        counts: images in each, (bins,).
        mean_score: of their scores, (bins,); NaN where there are none.
        fake_share: share of fakes among them, (bins,); NaN likewise.
        error: the expected calibration error over all of them.
    """

    counts: NDArray[np.int64]
    mean_score: NDArray[np.float64]
    fake_share: NDArray[np.float64]
    error: float


def reliability_figure(panels: Mapping[str, Reliability], detector: str, about: str) -> Drawing:
    """Draw reliability diagrams.

    Args:
        panels: test set → what its scores came to.
        detector: whose scores they are.
        about: what has to be known.

    Raises:
        ValueError: there is nothing to draw.
    """
    columns, inches = panel_inches(len(panels))

    def paint(figure: Any) -> None:
        titles = [
            f"{shown(name, _NAME_LETTERS[columns])}\nECE {one.error:.3f}, n {one.counts.sum():,}"
            for name, one in panels.items()
        ]
        x_label, y_label = f"score ({shown(detector, 60)})", "share"
        grid = panel_grid(figure, titles, columns, x_label, y_label)
        for axes, one in zip(grid, panels.values(), strict=True):
            edges = np.linspace(0, 1, len(one.counts) + 1)
            bars = axes.stairs(
                one.counts / max(1, one.counts.sum()), edges, fill=True, color="0.85"
            )
            (perfect,) = axes.plot((0, 1), (0, 1), color="0.4", linestyle="--", linewidth=0.9)
            there = one.counts > 0
            (line,) = axes.plot(
                one.mean_score[there],
                one.fake_share[there],
                color="#b04a00",
                marker="o",
                markersize=3.5,
                linewidth=1.2,
            )
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
            axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        put_heading(figure, f"Is {detector} a probability?", about)
        names = ("share of fakes in a bin", "share of all images in it", "a perfect calibration")
        put_legend(figure, dict(zip(names, (line, bars, perfect), strict=True)))

    return draw(inches, paint)
