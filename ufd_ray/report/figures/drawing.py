"""What all figures have in common: a size, plain text, and the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image

_PIXELS_PER_INCH = 150
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with the library: the same letters on every machine
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.edgecolor": "0.4",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "0.88",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.color": "0.3",
    "ytick.color": "0.3",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "hatch.linewidth": 0.7,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
    "text.parse_math": False,  # a stranger's name may have a $ in it
    "svg.fonttype": "path",  # needs no fonts where it is looked at
    "svg.hashsalt": "ufd-ray",  # ids are drawn by lot otherwise
}
_PLAIN = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
}
_DOCUMENT_TYPE = re.compile(rb"<!DOCTYPE[^>]*>\s*")


@dataclass(frozen=True)
class Drawing:
    """A figure, twice: the same numbers give the same bytes.

    Attributes:
        svg: as vectors, UTF-8; names nothing outside itself.
        png: as pixels, 150 an inch.
    """

    svg: bytes
    png: bytes


def draw(inches: tuple[float, float], paint: Callable[[Any], None]) -> Drawing:
    """Make a figure.

    Args:
        inches: its width and height.
        paint: is handed an empty `matplotlib.figure.Figure`, and draws.
    """
    # Here, not above: whoever draws nothing needs none of it. Figures made without pyplot belong
    # to nobody else, and are gone with their last user.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=inches, layout="constrained", dpi=_PIXELS_PER_INCH)
        FigureCanvasAgg(figure)
        paint(figure)
        pixels = _saved(figure, "png")
        figure.set_layout_engine("none")  # it has found every place: once is enough
        for axes in figure.axes:
            for image in axes.images:
                image.set_interpolation("none")  # as it is: who looks at vectors scales them
        vectors = _saved(figure, "svg")
        # The document type names a file on the web, which no reader of the figure needs.
        return Drawing(_DOCUMENT_TYPE.sub(b"", vectors, 1), pixels)


@contextmanager
def _style() -> Iterator[None]:
    """The library's own settings and ours, whatever a file of the user's says."""
    from matplotlib import rc_context, rcParamsDefault

    kept: dict[Any, Any] = dict(rcParamsDefault)
    del kept["backend"]
    with rc_context({**kept, **_STYLE}):
        yield


def _saved(figure: Any, kind: str) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=_PIXELS_PER_INCH, metadata=_PLAIN[kind])
    return _without_colour(picture) if kind == "png" else picture.getvalue()


def _without_colour(picture: io.BytesIO) -> bytes:
    """A PNG as it is; where all of it is grey, with one channel: spectra take half the bytes so."""
    with Image.open(picture) as image:
        red, green, blue = image.convert("RGB").split()
    if not red.tobytes() == green.tobytes() == blue.tobytes():
        return picture.getvalue()
    grey = io.BytesIO()
    red.save(grey, "png", dpi=(_PIXELS_PER_INCH, _PIXELS_PER_INCH))
    return grey.getvalue()
