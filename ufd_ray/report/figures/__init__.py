"""Arrays → figures that people look at, as vectors and as pixels."""

from ufd_ray.report.figures.curves import CurveTexts, curves_figure
from ufd_ray.report.figures.drawing import Drawing
from ufd_ray.report.figures.panels import MOST_PANELS
from ufd_ray.report.figures.reliability import Reliability, reliability_figure
from ufd_ray.report.figures.scatter import scatter_figure
from ufd_ray.report.figures.score_bars import score_bars_figure
from ufd_ray.report.figures.spectra import spectra_figure
from ufd_ray.report.figures.sweep import points_figure, sweep_figure

__all__ = [
    "MOST_PANELS",
    "CurveTexts",
    "Drawing",
    "Reliability",
    "curves_figure",
    "points_figure",
    "reliability_figure",
    "scatter_figure",
    "score_bars_figure",
    "spectra_figure",
    "sweep_figure",
]
