"""The lines that `fit_probe` ends with."""

from __future__ import annotations

from typing import Any

import numpy as np

from ufd_ray.pipeline.data_parallel.progress import entry_line
from ufd_ray.pipeline.fitting.summary import summary
from ufd_ray.storage import ProbeFiles

FIGURES = {
    "num_images": 80,
    "average_precision": 0.97,
    "accuracy": 0.9,
    "accuracy_real": 0.95,
    "accuracy_fake": 0.85,
    "intervals": {
        "confidence": 0.95,
        "counted": "images",
        "average_precision": [0.94, 0.99],
        "accuracy": [0.81, 0.96],
        "accuracy_real": [0.83, 0.99],
        "accuracy_fake": [0.70, 0.94],
    },
}
JUDGED = {
    "method": "platt",
    "max_fpr": 0.01,
    "confidence": 0.95,
    "ece_before": 0.2,
    "ece_after": 0.05,
    "brier_before": 0.15,
    "brier_after": 0.1,
    "why_not": {"max_fpr": "too few real images"},
}


def lines(**change: Any) -> list[str]:
    details = {
        "recipe": "logistic",
        "l2": 0.1,
        "num_training_images": 320,
        "training_curve": [{}] * 7,
        "validation": FIGURES,
        "cross_validation": None,
        "judged": JUDGED,
    }
    files = ProbeFiles(
        np.ones(3, np.float32),
        0.0,
        {},
        thresholds={"default": 0.5, "tuned": 0.41, "max_fpr": None, "calibrated": 0.63},
        calibration={"method": "platt", "scale": 1.0, "shift": 0.0},
        details=details | change,
    )
    return summary(files)


def test_what_is_said_of_a_probe_with_validation_images() -> None:
    assert lines() == [
        "probe by logistic, l2 0.1, on 320 images, 7 steps",
        "on 80 held-out images: accuracy at 0.5 90.0 % (81–96), on real 95.0 % (83–99), on fake"
        " 85.0 % (70–94); AP 97.0 % (94–99); in parentheses 95 % intervals, counting images",
        "thresholds: default 0.5 · tuned 0.41 · calibrated 0.63",
        "  no max-fpr: too few real images",
        "calibration by platt: ECE 0.200 → 0.050, Brier score 0.150 → 0.100, each image by a"
        " calibration that did not see it",
        "80 images tell an accuracy to within 7 points or so: what differs by less, they do not"
        " tell apart",
    ]


def test_what_is_said_of_cross_validation() -> None:
    validated = {
        "num_folds": 5,
        "grid": [{}, {}],
        "split_sources": ["my phone"],
        "figures": FIGURES,
    }
    said = lines(validation=None, cross_validation=validated)
    assert said[0] == "probe by logistic, l2 0.1 chosen by cross-validation, on 320 images, 7 steps"
    assert said[1].startswith("on 80 training images, by 5 folds: accuracy at 0.5 90.0 %")
    assert "could not be left out" in said[2]
    assert said[2].endswith("my phone")
    both = lines(cross_validation=validated)
    assert both[-1].startswith("thresholds and calibration rest on the 80 held-out images")


def test_where_nothing_can_be_said_that_is_said() -> None:
    assert lines(validation=None)[-1] == "no images of both classes to judge it on"


def test_progress_names_the_epoch_or_the_step() -> None:
    epoch = {
        "epoch": 3,
        "learning_rate": 1e-4,
        "train_loss": 0.5,
        "validation_loss": 0.6,
        "validation_accuracy": 0.75,
    }
    assert entry_line(epoch) == (
        "epoch 3 · learning rate 1e-04 · loss 0.5000 · on validation images loss 0.6000, accuracy"
        " 75.0 %"
    )
    step = {"step": 2, "loss": 12.5, "relative_decrement": 1e-3}
    assert (
        entry_line(step) == "step 2 · objective 12.5 · relative distance from the optimum 1.0e-03"
    )
