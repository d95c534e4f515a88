"""From an embedding to a score: probe, neighbours, verdict. Functions of one embedding."""

from __future__ import annotations

from ufd_ray.detectors.logistic import LogisticFit, fit_logistic
from ufd_ray.detectors.neighbors import Neighbors, NeighborSearch, margin, vote
from ufd_ray.detectors.paper_recipe import PaperFit, fit_paper
from ufd_ray.detectors.probe import Probe
from ufd_ray.detectors.published import import_published
from ufd_ray.detectors.training_rows import AllReduce
from ufd_ray.detectors.verdict import verdicts

__all__ = [
    "AllReduce",
    "LogisticFit",
    "NeighborSearch",
    "Neighbors",
    "PaperFit",
    "Probe",
    "fit_logistic",
    "fit_paper",
    "import_published",
    "margin",
    "verdicts",
    "vote",
]
