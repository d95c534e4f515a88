"""What is said when too many images failed."""

from __future__ import annotations

import numpy as np

from ufd_ray.pipeline.training.judging import ValidationScores
from ufd_ray.pipeline.training.summary import lines_of_failures
from ufd_ray.pipeline.training.worker import Trained


def trained(*failed: int, in_the_end: int = 0) -> Trained:
    """Epochs of 20 images, and 5 judged in the end."""
    curve: list[dict[str, float]] = [
        {"epoch": number, "num_images": 20, "num_failed": lost}
        for number, lost in enumerate(failed, 1)
    ]
    there = 5 - in_the_end
    validated = ValidationScores(np.zeros(there, np.int8), np.zeros(there, np.float32), in_the_end)
    return Trained({}, validated, curve)


def test_too_many_failed_images_are_told_of_survey_and_worst_epoch() -> None:
    counts, found = {"images": 40, "failed": 4}, trained(2, 4, 0)
    assert lines_of_failures(counts, found, 0.2) == []
    (of_epoch,) = lines_of_failures(counts, found, 0.15)
    assert of_epoch.startswith("in epoch 2, 4 of 20 images could not be read: ")
    assert of_epoch.endswith("more than --max-error-rate 0.15 allows: exit status 3")
    assert lines_of_failures(counts, found, 0.05) == [
        "that is more than --max-error-rate 0.05 allows: exit status 3",
        of_epoch.replace("0.15", "0.05"),
    ]


def test_images_that_fail_in_the_end_count_as_well() -> None:
    counts, found = {"images": 40, "failed": 0}, trained(0, in_the_end=2)
    assert lines_of_failures(counts, found, 0.4) == []
    (line,) = lines_of_failures(counts, found, 0.3)
    assert line.startswith("when the network was judged, 2 of 5 images could not be read: ")
