"""Finished runs → pages that people look at."""

from ufd_ray.report.run_page import HISTOGRAM_EDGES, render_run

__all__ = ["HISTOGRAM_EDGES", "render_run"]
