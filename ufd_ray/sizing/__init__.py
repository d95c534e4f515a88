"""What stages take of one image, and how many machines they come in on → hours, money, requests."""

from ufd_ray.sizing.comparison import compare
from ufd_ray.sizing.estimate import RAY, Estimate, estimate
from ufd_ray.sizing.machines import Machines, Prices
from ufd_ray.sizing.measured import Measured, StageCost
from ufd_ray.sizing.page import plan_lines
from ufd_ray.sizing.requests import ROWS_PER_BLOCK, Requests, count_requests

__all__ = [
    "RAY",
    "ROWS_PER_BLOCK",
    "Estimate",
    "Machines",
    "Measured",
    "Prices",
    "Requests",
    "StageCost",
    "compare",
    "count_requests",
    "estimate",
    "plan_lines",
]
