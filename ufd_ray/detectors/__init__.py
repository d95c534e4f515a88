"""From an embedding to a verdict: probe and neighbours, how they are fitted, where the line is."""

from __future__ import annotations

from ufd_ray.detectors.audit import ONE_AND_THE_SAME, Reason
from ufd_ray.detectors.audit_summary import AuditSummary, tell_row
from ufd_ray.detectors.audit_table import look_without
from ufd_ray.detectors.calibration import Calibration, fit_calibration
from ufd_ray.detectors.cross_validation import L2_GRID, CrossValidation, cross_validate
from ufd_ray.detectors.detection import OVERFLOWS, Detected, Detector, Search
from ufd_ray.detectors.detection_table import Searchable, detection_columns, searchable
from ufd_ray.detectors.early_stop import EarlyStop
from ufd_ray.detectors.folds import Folds, deal_folds
from ufd_ray.detectors.logistic import LogisticFit, fit_logistic
from ufd_ray.detectors.neighbor_scores import margin, mean_margin, vote
from ufd_ray.detectors.neighbors import (
    Embeddings,
    Neighbors,
    NeighborSearch,
    merge_neighbors,
    rank_of,
    search_bytes,
)
from ufd_ray.detectors.nested_search import NestedSearch
from ufd_ray.detectors.out_of_bank import nearest_distances, sum_up, tell_bound
from ufd_ray.detectors.paper_recipe import PaperFit, PaperState, fit_paper
from ufd_ray.detectors.probe import Probe, scores_of
from ufd_ray.detectors.published import import_published, is_published, tell_whose
from ufd_ray.detectors.search import SearchCounts
from ufd_ray.detectors.subsets import balanced_order
from ufd_ray.detectors.thresholds import (
    Thresholds,
    find_thresholds,
    reals_needed,
    tuned_threshold,
)
from ufd_ray.detectors.training_rows import AllReduce
from ufd_ray.detectors.verdict import verdicts

__all__ = [
    "L2_GRID",
    "ONE_AND_THE_SAME",
    "OVERFLOWS",
    "AllReduce",
    "AuditSummary",
    "Calibration",
    "CrossValidation",
    "Detected",
    "Detector",
    "EarlyStop",
    "Embeddings",
    "Folds",
    "LogisticFit",
    "NeighborSearch",
    "Neighbors",
    "NestedSearch",
    "PaperFit",
    "PaperState",
    "Probe",
    "Reason",
    "Search",
    "SearchCounts",
    "Searchable",
    "Thresholds",
    "balanced_order",
    "cross_validate",
    "deal_folds",
    "detection_columns",
    "find_thresholds",
    "fit_calibration",
    "fit_logistic",
    "fit_paper",
    "import_published",
    "is_published",
    "look_without",
    "margin",
    "mean_margin",
    "merge_neighbors",
    "nearest_distances",
    "rank_of",
    "reals_needed",
    "scores_of",
    "search_bytes",
    "searchable",
    "sum_up",
    "tell_bound",
    "tell_row",
    "tell_whose",
    "tuned_threshold",
    "verdicts",
    "vote",
]
