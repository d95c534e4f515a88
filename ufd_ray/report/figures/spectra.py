"""Mean spectra in grey, the lowest frequencies in the middle: a panel a test set and class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.report.figures.drawing import Drawing, draw
from ufd_ray.report.figures.names import shown
from ufd_ray.report.figures.panels import put_heading
from ufd_ray.report.figures.styles import CLASS_WORDS

_COLUMNS = 6
_GREYS = 32
"""As many as an eye tells apart in noise, and half the bytes of 256."""
_LOWEST, _HIGHEST = 1.0, 99.9


def spectra_figure(
    panels: Mapping[tuple[str, int], tuple[int, NDArray[np.floating]]], title: str, about: str
) -> Drawing:
    """Draw magnitudes, logarithmically, each panel over a range of its own.

    Args:
        panels: test set and label → number of images, and magnitudes (size, size), zero frequency
            in the middle.
        title: above the figure.
        about: how they came about.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not panels:
        raise ValueError("nothing to draw: no spectrum")
    columns = min(len(panels), _COLUMNS)
    rows = math.ceil(len(panels) / columns)

    def paint(figure: Any) -> None:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(panels) :]:
            axes.remove()
        for axes, ((name, label), (num_images, magnitudes)) in zip(
            grid, panels.items(), strict=False
        ):
            axes.imshow(_grey(magnitudes), cmap="gray", vmin=0, vmax=1, interpolation="auto")
            axes.set_title(f"{shown(name, 16)}\n{CLASS_WORDS[label]}, n {num_images:,}", fontsize=8)
            axes.set(xticks=(), yticks=())
            axes.spines[:].set_visible(False)
        put_heading(figure, title, about)

    return draw((max(columns * 1.75 + 0.2, 5.6), rows * 2.15 + 0.7), paint)


def _grey(magnitudes: NDArray[np.floating]) -> NDArray[np.float64]:
    """0 … 1 in 32 steps, by the logarithm, between two percentiles of what is not zero."""
    there = magnitudes[magnitudes > 0]
    if not len(there):
        return np.zeros(magnitudes.shape)
    logarithms = np.log10(np.maximum(magnitudes, there.min()))
    low, high = np.percentile(np.log10(there), (_LOWEST, _HIGHEST))
    shares = np.clip((logarithms - low) / max(high - low, 1e-12), 0, 1)
    return np.asarray(np.round(shares * (_GREYS - 1)) / (_GREYS - 1))
