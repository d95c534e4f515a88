"""A figure of one number over the settings of a sweep: a line for each detector, or points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ufd_ray.report.figures.drawing import Drawing, draw
from ufd_ray.report.figures.names import shown
from ufd_ray.report.figures.styles import line_style

_INCHES = (6.4, 3.6)
_LEGEND_INCHES = 1.9
_LONGEST_TITLE = 90
_SETTING_LETTERS, _OF_ALL = (16, 24), 64
"""Fewest and most that a setting is cut to, by how many have to stand side by side."""
_LETTER_INCHES = 0.065
"""Width of a letter below the axis, about: settings that have no room side by side stand aslant."""
_SPREAD = 0.6
"""Share of the way to the next setting over which the points of one stand side by side."""

Series = Mapping[str, Sequence[float]]
"""Name of a detector → its n values; NaN: none."""


def sweep_figure(
    title: str, x_label: str, settings: Sequence[str], series: Series, y_label: str
) -> Drawing:
    """Draw lines over settings that stand side by side at equal distances, in the given order.

    Args:
        title: above the figure.
        x_label: what the settings are, with their unit.
        settings: n of them, one at least.
        series: one at least; where a value is missing, a line has a gap.
        y_label: what the values are, with their unit.

    Raises:
        ValueError: there is no setting or no line, or a line has more or fewer values.
    """

    def put(axes: Any, number: int, name: str) -> Any:
        return axes.plot(range(len(settings)), series[name], **line_style(number))[0]

    return _over_settings(title, x_label, settings, series, y_label, put)


def points_figure(
    title: str,
    x_label: str,
    settings: Sequence[str],
    series: Series,
    intervals: Mapping[str, Sequence[tuple[float, float]]],
    y_label: str,
) -> Drawing:
    """Draw points, for settings of which none is more than another: no line joins them.

    Args:
        title: above the figure.
        x_label: what the settings are.
        settings: n of them, one at least.
        series: one at least.
        intervals: low and high of each value; NaN: there is none.
        y_label: what the values are, with their unit.

    Raises:
        ValueError: there is no setting or no detector, or one has more or fewer values.
    """

    def put(axes: Any, number: int, name: str) -> Any:
        style = line_style(number) | {"linestyle": "none"}
        x = np.arange(len(settings)) + _SPREAD * ((number + 0.5) / len(series) - 0.5)
        low, high = np.array(intervals[name], np.float64).T
        there = np.isfinite(low) & np.isfinite(high)
        if there.any():
            axes.vlines(x[there], low[there], high[there], color=style["color"], linewidth=1.1)
        axes.set_xlim(-0.5, len(settings) - 0.5)
        return axes.plot(x, series[name], **style)[0]

    return _over_settings(title, x_label, settings, series, y_label, put)


def _over_settings(
    title: str,
    x_label: str,
    settings: Sequence[str],
    series: Series,
    y_label: str,
    put: Callable[[Any, int, str], Any],
) -> Drawing:
    """A figure on which `put` draws each detector, by its number and name, and returns a handle."""
    if not settings or not series:
        raise ValueError(f"nothing to draw: {len(settings)} settings, {len(series)} lines")
    for name, values in series.items():
        if len(values) != len(settings):
            raise ValueError(f"{name}: {len(values)} values for {len(settings)} settings")

    width = max(_INCHES[0], 0.55 * len(settings) + 1.2) + _LEGEND_INCHES

    def paint(figure: Any) -> None:
        figure.suptitle(shown(title, _LONGEST_TITLE), fontsize=10, x=0.01, ha="left")
        axes = figure.subplots()
        handles = [put(axes, number, name) for number, name in enumerate(series)]
        fewest, most = _SETTING_LETTERS
        letters = max(fewest, min(most, _OF_ALL // len(settings)))
        names = [shown(one, letters) for one in settings]
        axes.set_xticks(range(len(names)), names)
        if _LETTER_INCHES * len(names) * max(map(len, names)) > width - _LEGEND_INCHES:
            axes.tick_params(axis="x", labelrotation=40)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axes.set_xlabel(shown(x_label, _LONGEST_TITLE))
        axes.set_ylabel(shown(y_label, _LONGEST_TITLE))
        # Handed over one by one: by itself the library leaves out names with an underscore ahead.
        labels = [shown(name) for name in series]
        figure.legend(handles, labels, loc="outside right upper", handlelength=3.6)

    return draw((width, _INCHES[1]), paint)
