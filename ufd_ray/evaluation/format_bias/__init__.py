"""Whether real images and fakes of a set can be told apart by their files alone."""

from __future__ import annotations

from ufd_ray.evaluation.format_bias.columns import traits_columns
from ufd_ray.evaluation.format_bias.guard import FEWEST, MARGIN, FormatBias, find_bias
from ufd_ray.evaluation.format_bias.telling import bias_lines, bias_table

__all__ = [
    "FEWEST",
    "MARGIN",
    "FormatBias",
    "bias_lines",
    "bias_table",
    "find_bias",
    "traits_columns",
]
