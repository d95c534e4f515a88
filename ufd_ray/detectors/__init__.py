"""From an embedding to a verdict: probe and neighbours, how they are fitted, where the line is."""

from __future__ import annotations

from ufd_ray.detectors.calibration import Calibration, fit_calibration
from ufd_ray.detectors.cross_validation import L2_GRID, CrossValidation, cross_validate
from ufd_ray.detectors.detection import OVERFLOWS, Detected, Detector, Searchable
from ufd_ray.detectors.detection_table import detection_columns, searchable
from ufd_ray.detectors.folds import Folds, deal_folds
from ufd_ray.detectors.logistic import LogisticFit, fit_logistic
from ufd_ray.detectors.neighbors import Neighbors, NeighborSearch, margin, vote
from ufd_ray.detectors.paper_recipe import PaperFit, PaperState, fit_paper
from ufd_ray.detectors.probe import Probe, scores_of
from ufd_ray.detectors.published import import_published, is_published, tell_whose
from ufd_ray.detectors.thresholds import Thresholds, find_thresholds, reals_needed
from ufd_ray.detectors.training_rows import AllReduce
from ufd_ray.detectors.verdict import verdicts

__all__ = [
    "L2_GRID",
    "OVERFLOWS",
    "AllReduce",
    "Calibration",
    "CrossValidation",
    "Detected",
    "Detector",
    "Folds",
    "LogisticFit",
    "NeighborSearch",
    "Neighbors",
    "PaperFit",
    "PaperState",
    "Probe",
    "Searchable",
    "Thresholds",
    "cross_validate",
    "deal_folds",
    "detection_columns",
    "find_thresholds",
    "fit_calibration",
    "fit_logistic",
    "fit_paper",
    "import_published",
    "is_published",
    "margin",
    "reals_needed",
    "scores_of",
    "searchable",
    "tell_whose",
    "verdicts",
    "vote",
]
