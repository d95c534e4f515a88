"""How lines and classes are told apart: by colour, and without it by shape, dash and hatch.

Colours are those of Okabe and Ito ("Color universal design", 2008), which people with any of the
common kinds of colour blindness tell apart.
"""

from __future__ import annotations

from typing import Any

from ufd_ray.schema import FAKE, REAL

_COLORS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)))
_MARKERS = "osD^vPX*"

CLASS_COLORS = {REAL: "#56b4e9", FAKE: "#b04a00"}
"""Light for real and dark for fake, so that they are apart in grey as well."""
CLASS_WORDS = {REAL: "real", FAKE: "fake"}


def line_style(number: int, *, with_markers: bool = True) -> dict[str, Any]:
    """What tells a line of a figure from the others, for `Axes.plot`.

    The first 280 are all different.

    Args:
        number: its place among them, from 0.
        with_markers: whether points are marked.
    """
    style = {
        "color": _COLORS[number % len(_COLORS)],
        "linestyle": _DASHES[number % len(_DASHES)],
        "linewidth": 1.4,
    }
    if with_markers:
        marker = _MARKERS[number % len(_MARKERS)]
        style |= {"marker": marker, "markersize": 4.5, "markeredgewidth": 0.8}
    return style
