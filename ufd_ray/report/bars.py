"""A histogram, drawn."""

from __future__ import annotations

from typing import Any

from ufd_ray.report.histogram import Histogram
from ufd_ray.report.page import escape

_WIDTH, _HEIGHT, _FOOT = 640, 180, 22
_TICKS = ((0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1, "end"))


def draw_bars(histogram: Histogram, detectors: dict[str, Any]) -> str:
    """Images by the deciding score, with the lines that divide them.

    Args:
        histogram: the counts.
        detectors: of `run.json`: `threshold`, `threshold_name`, `unsure_above`.

    Returns:
        HTML, a figure.
    """
    threshold, unsure_above = detectors["threshold"], detectors.get("unsure_above")
    marks = [("threshold", threshold)] + [("unsure", unsure_above)] * (unsure_above is not None)
    shown = histogram.bars(*(value for _, value in marks))
    counts = shown.counts
    top = max(int(counts.max()), 1)
    step = _WIDTH / len(counts)
    bars = "".join(
        f'<rect x="{i * step + 1:.1f}" y="{_HEIGHT - _HEIGHT * n / top:.1f}" width="{step - 2:.1f}"'
        f' height="{_HEIGHT * n / top:.1f}"><title>{n:,} images</title></rect>'
        for i, n in enumerate(map(int, counts))
    )
    ticks = "".join(
        f'<text x="{_WIDTH * part:.0f}" y="{_HEIGHT + 16}" text-anchor="{anchor}">'
        f"{shown.low + part * (shown.high - shown.low):g}</text>"
        for part, anchor in _TICKS
    )
    lines = ""
    for kind, value in marks:
        at = _WIDTH * (value - shown.low) / (shown.high - shown.low)
        lines += f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_HEIGHT}"/>'
    label = f"Histogram of the deciding score over {int(counts.sum()):,} images"
    scale = (
        "margin, below 0 real, above 0 generated"
        if shown.low < 0
        else "score, 0 real to 1 generated"
    )
    name = detectors.get("threshold_name")
    said = f"the dashed line is the threshold {threshold:g}"
    if name not in (None, "default", "given"):
        said += f" ({escape(name)})"
    if unsure_above is not None:
        said += f", the dotted one {unsure_above:g}, above which an image is unsure"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT + _FOOT}" role="img" aria-label="{label}">'
        f'{bars}<line x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>{lines}{ticks}</svg>'
        f"<figcaption>Images by {scale}; the fullest bin holds {top:,}; {said}.</figcaption>"
        "</figure>"
    )
