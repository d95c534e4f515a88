"""A few images of a run that a person has labelled → how right the run's verdicts are."""

from __future__ import annotations

from ufd_ray.evaluation.review.allocation import allocate, stratum_cuts
from ufd_ray.evaluation.review.estimates import FIGURES, Estimate, LabelledStratum, estimate
from ufd_ray.evaluation.review.telling import review_lines

__all__ = [
    "FIGURES",
    "Estimate",
    "LabelledStratum",
    "allocate",
    "estimate",
    "review_lines",
    "stratum_cuts",
]
