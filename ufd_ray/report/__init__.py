"""Finished runs → pages that people look at."""

from ufd_ray.report.curve import draw_curve
from ufd_ray.report.efficiency import Pace, efficiency
from ufd_ray.report.histogram import NUM_BARS, Histogram
from ufd_ray.report.run_page import render_run

__all__ = ["NUM_BARS", "Histogram", "Pace", "draw_curve", "efficiency", "render_run"]
