"""Every number of panels has a figure of its own, with what is known of each in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ufd_ray.report.figures import (
    MOST_PANELS,
    CurveTexts,
    Drawing,
    Reliability,
    curves_figure,
    reliability_figure,
    scatter_figure,
    score_bars_figure,
    spectra_figure,
)
from ufd_ray.report.figures.panels import panel_inches
from ufd_ray.report.figures.spectra import _grey

TEXTS = CurveTexts("t", "about", "x", "y")
LINE = np.linspace(0, 1, 5), np.linspace(0, 1, 5) ** 2


def comments(drawing: Drawing) -> list[str]:
    """The texts of a figure, which stand in it as comments beside their outlines."""
    lines = drawing.svg.decode().splitlines()
    return [line.strip()[5:-4] for line in lines if line.strip().startswith("<!-- ")]


@pytest.mark.parametrize("num_panels", range(1, MOST_PANELS + 1))
def test_all_panels_have_room(num_panels: int) -> None:
    columns, (width, height) = panel_inches(num_panels)
    rows = -(-num_panels // columns)
    assert (rows - 1) * columns < num_panels
    assert 5 <= width <= 11
    assert 3 <= height <= 9


def test_each_set_has_its_name() -> None:
    names = [f"set {number}" for number in range(3)]
    panels = {name: {"probe_score": LINE} for name in names}
    texts = comments(curves_figure(panels, [(0.5, 0.5)] * 3, TEXTS))
    assert {*names, "probe_score", "chance", "t", "about"} <= set(texts)


def test_what_is_empty_is_drawn_all_the_same() -> None:
    counts = np.zeros((2, 4), np.int64)
    texts = comments(score_bars_figure({"a": counts}, np.linspace(0, 1, 5), 0.5, "probe_score"))
    assert {"real", "fake", "threshold 0.5", "images of the class, %"} <= set(texts)
    nothing = np.full(3, np.nan)
    empty = Reliability(np.array([0, 12, 0]), np.array([np.nan, 0.5, np.nan]), nothing, 0.125)
    assert "ECE 0.125, n 12" in comments(reliability_figure({"a": empty}, "probe_score", ""))


def test_classes_and_counts_are_named() -> None:
    points = np.zeros((3, 2))
    texts = comments(scatter_figure({(0, True): points, (1, False): points[:1]}, "t", ""))
    assert {"real, seen (3)", "fake, unseen (1)"} <= set(texts)
    image = np.arange(16.0).reshape(4, 4)
    texts = comments(spectra_figure({("a", 0): (7, image), ("a", 1): (9, image)}, "t", ""))
    assert {"real, n 7", "fake, n 9"} <= set(texts)


def test_greys_are_those_of_the_logarithm() -> None:
    grey = _grey(10.0 ** np.arange(9.0).reshape(3, 3))
    assert (np.diff(grey.ravel()) > 0).all()
    assert (grey.min(), grey.max()) == (0, 1)
    assert len(np.unique(_grey(np.random.default_rng(0).random((64, 64))))) == 32
    assert not _grey(np.zeros((2, 2))).any()


@pytest.mark.parametrize(
    "figure",
    [
        lambda: curves_figure({}, [], TEXTS),
        lambda: score_bars_figure({}, np.zeros(2), 0, ""),
        lambda: reliability_figure({}, "", ""),
        lambda: scatter_figure({}, "", ""),
        lambda: spectra_figure({}, "", ""),
    ],
)
def test_nothing_has_no_figure(figure: Any) -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        figure()
