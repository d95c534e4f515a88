"""Labels and scores → figures with intervals, thresholds, calibration. Encodes nothing."""

from __future__ import annotations

from ufd_ray.evaluation.held_out import Settled, settle
from ufd_ray.evaluation.intervals import (
    Interval,
    accuracy_interval,
    average_precision_interval,
)
from ufd_ray.evaluation.metrics import (
    Accuracy,
    accuracy_at,
    average_precision,
    brier_score,
    expected_calibration_error,
)

__all__ = [
    "Accuracy",
    "Interval",
    "Settled",
    "accuracy_at",
    "accuracy_interval",
    "average_precision",
    "average_precision_interval",
    "brier_score",
    "expected_calibration_error",
    "settle",
]
