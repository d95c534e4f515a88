"""Labels and scores → figures. Reads tables, encodes nothing."""

from __future__ import annotations

from ufd_ray.evaluation.metrics import Accuracy, accuracy_at, average_precision

__all__ = ["Accuracy", "accuracy_at", "average_precision"]
