"""A figure of one number over the settings of a sweep, a line for each detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ufd_ray.report.figures.drawing import Drawing, draw
from ufd_ray.report.figures.names import shown
from ufd_ray.report.figures.styles import line_style

_INCHES = (6.4, 3.6)
_LEGEND_INCHES = 1.9
_LONGEST_TITLE = 90
_LONGEST_SETTING = 12


def sweep_figure(
    title: str,
    x_label: str,
    settings: Sequence[str],
    series: Mapping[str, Sequence[float]],
    y_label: str,
) -> Drawing:
    """Draw lines over settings that stand side by side at equal distances, in the given order.

    Args:
        title: above the figure.
        x_label: what the settings are, with their unit.
        settings: n of them, one at least.
        series: name of a line → its n values; NaN: none, and the line has a gap. One at least.
        y_label: what the values are, with their unit.

    Raises:
        ValueError: there is no setting or no line, or a line has more or fewer values.
    """
    if not settings or not series:
        raise ValueError(f"nothing to draw: {len(settings)} settings, {len(series)} lines")
    for name, values in series.items():
        if len(values) != len(settings):
            raise ValueError(f"{name}: {len(values)} values for {len(settings)} settings")

    def paint(figure: Any) -> None:
        figure.suptitle(shown(title, _LONGEST_TITLE), fontsize=10, x=0.01, ha="left")
        axes = figure.subplots()
        places = range(len(settings))
        lines = [
            axes.plot(places, values, **line_style(number))[0]
            for number, values in enumerate(series.values())
        ]
        axes.set_xticks(places, [shown(setting, _LONGEST_SETTING) for setting in settings])
        axes.set_xlabel(shown(x_label, _LONGEST_TITLE))
        axes.set_ylabel(shown(y_label, _LONGEST_TITLE))
        # Handed over one by one: by itself the library leaves out names with an underscore ahead.
        labels = [shown(name) for name in series]
        figure.legend(lines, labels, loc="outside right upper", handlelength=3.6)

    width = max(_INCHES[0], 0.55 * len(settings) + 1.2) + _LEGEND_INCHES
    return draw((width, _INCHES[1]), paint)
