"""Finished runs → pages that people look at."""

from ufd_ray.report.agreement import Agreement
from ufd_ray.report.curve import draw_curve
from ufd_ray.report.drift import Earlier
from ufd_ray.report.efficiency import Pace, efficiency
from ufd_ray.report.evaluation_page import Drawn, render_evaluation
from ufd_ray.report.folded import Folded, Table
from ufd_ray.report.gallery import Card, Gallery, Neighbor, Picture, count_pictures
from ufd_ray.report.heat import draw_heat
from ufd_ray.report.histogram import NUM_BARS, Histogram
from ufd_ray.report.run_page import Findings, render_run
from ufd_ray.report.sources import SourceCounts
from ufd_ray.report.thumbnail import NEIGHBOR_SIDE, SIDE, make_thumbnail

__all__ = [
    "NEIGHBOR_SIDE",
    "NUM_BARS",
    "SIDE",
    "Agreement",
    "Card",
    "Drawn",
    "Earlier",
    "Findings",
    "Folded",
    "Gallery",
    "Histogram",
    "Neighbor",
    "Pace",
    "Picture",
    "SourceCounts",
    "Table",
    "count_pictures",
    "draw_curve",
    "draw_heat",
    "efficiency",
    "make_thumbnail",
    "render_evaluation",
    "render_run",
]
