"""Arrays → figures that people look at, as vectors and as pixels."""

from ufd_ray.report.figures.drawing import Drawing
from ufd_ray.report.figures.sweep import sweep_figure

__all__ = ["Drawing", "sweep_figure"]
