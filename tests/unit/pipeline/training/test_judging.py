"""Thresholds and figures from the images that validate."""

from __future__ import annotations

import numpy as np

from ufd_ray.pipeline.training.judging import ValidationScores, judge_validation


def test_the_threshold_is_tuned_on_what_validates() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1], np.int8)
    scores = np.array([0.01, 0.02, 0.03, 0.3, 0.35, 0.4], np.float32)
    thresholds, figures = judge_validation(ValidationScores(labels, scores), seed=0)
    assert thresholds["default"] == 0.5
    assert thresholds["tuned"] is not None
    assert 0.03 <= thresholds["tuned"] < float(scores[3])
    assert figures is not None
    assert figures["accuracy"] == 0.5
    assert "accuracy_tuned" not in figures, "it was tuned on these very images"
    assert (figures["average_precision"], figures["num_real"]) == (1.0, 3)
    assert judge_validation(ValidationScores(labels[:3], scores[:3]), seed=0) == (
        {"default": 0.5, "tuned": None},
        None,
    )
