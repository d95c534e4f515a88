"""Labels and scores → figures with intervals, thresholds, calibration. Encodes nothing."""

from __future__ import annotations

from ufd_ray.evaluation.curves import precision_recall_line, roc_line
from ufd_ray.evaluation.embedding_map import FEWEST_POINTS, MapSettings, embedding_map
from ufd_ray.evaluation.held_out import Settled, settle
from ufd_ray.evaluation.intervals import (
    Interval,
    accuracy_interval,
    balanced_accuracy_interval,
)
from ufd_ray.evaluation.judged_sets import judge_sets
from ufd_ray.evaluation.judging import Figure, ScoreColumn, judge
from ufd_ray.evaluation.means import Row, group_members, mean_rows
from ufd_ray.evaluation.metrics import (
    Accuracy,
    accuracy_at,
    average_precision,
    brier_score,
    expected_calibration_error,
)
from ufd_ray.evaluation.paper.tables import tables_text
from ufd_ray.evaluation.ranking import oracle_threshold, roc_auc, tpr_at_fpr
from ufd_ray.evaluation.ranking_intervals import (
    RankingIntervals,
    average_precision_interval,
    ranking_intervals,
)
from ufd_ray.evaluation.score_bins import count_scores, reliability_bins, score_edges
from ufd_ray.evaluation.set_names import SetNames
from ufd_ray.evaluation.set_plan import SetPlan, plan_sets

__all__ = [
    "FEWEST_POINTS",
    "Accuracy",
    "Figure",
    "Interval",
    "MapSettings",
    "RankingIntervals",
    "Row",
    "ScoreColumn",
    "SetNames",
    "SetPlan",
    "Settled",
    "accuracy_at",
    "accuracy_interval",
    "average_precision",
    "average_precision_interval",
    "balanced_accuracy_interval",
    "brier_score",
    "count_scores",
    "embedding_map",
    "expected_calibration_error",
    "group_members",
    "judge",
    "judge_sets",
    "mean_rows",
    "oracle_threshold",
    "plan_sets",
    "precision_recall_line",
    "ranking_intervals",
    "reliability_bins",
    "roc_auc",
    "roc_line",
    "score_edges",
    "settle",
    "tables_text",
    "tpr_at_fpr",
]
