"""What `baseline.json` says of a training."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest

from tests.crawl.handmade import HERE
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.train_baseline import choose_baseline
from ufd_ray.pipeline.training.judging import ValidationScores
from ufd_ray.pipeline.training.origin import Origin
from ufd_ray.pipeline.training.survey import Surveyed
from ufd_ray.pipeline.training.worker import Trained
from ufd_ray.pipeline.training.writing import publish
from ufd_ray.schema import REJECTS
from ufd_ray.settings import TrainBaselineSettings

ENTRY = {
    "epoch": 1.0, "train_loss": 0.7, "validation_loss": 0.6, "validation_accuracy": 1.0,
    "learning_rate": 1e-3, "num_images": 6.0, "num_failed": 0.0,
}  # fmt: skip
CLASSES = {"0": 1, "1": 1}
COUNTS = {
    "images": 4, "failed": 0, "by_error_code": {},
    "train": {"label": CLASSES, "source": {}}, "val": {"label": CLASSES, "source": {}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "num_workers", "is_published"),
    [
        ("patch-resnet50-layer1", 1, True),
        ("patch-resnet50-layer1", 2, False),
        ("co-occurrence", 2, True),
    ],
)
def test_shares_of_a_batch_are_told_from_whole_ones(
    tmp_path: Path, name: str, num_workers: int, is_published: bool
) -> None:
    settings = TrainBaselineSettings.model_validate(
        {"input": ["/i"], "output": str(tmp_path), "baseline": name}
    )
    origin = Origin(choose_baseline(settings), None, None, "cpu", "fp32", settings.fingerprint())
    validated = ValidationScores(np.array([0, 1], np.int8), np.array([0.2, 0.4], np.float32))
    trained = Trained({"name": "n"}, validated, [ENTRY], [], num_workers)
    surveyed = Surveyed(pa.table({}), pa.schema(REJECTS).empty_table(), COUNTS)
    lease = Mock()
    outcome = publish(settings, origin, surveyed, trained, HERE, lease)
    assert outcome == Outcome.PUBLISHED
    found = json.loads((tmp_path / "baseline.json").read_text())
    assert (found["num_workers"], found["is_published"]) == (num_workers, is_published)
    assert [call[0] for call in lease.method_calls] == ["check", "end"]
