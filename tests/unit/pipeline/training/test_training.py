"""Decisions around training that need no worker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.errors import SettingsError, UfdError
from ufd_ray.images import ByRecipe, PixelRecipe, view_key
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.train_baseline import choose_baseline
from ufd_ray.pipeline.training.judging import Judged
from ufd_ray.pipeline.training.pictures import NUMBER, PURPOSE, Wanted
from ufd_ray.pipeline.training.survey import require_both_classes, sum_up
from ufd_ray.pipeline.training.training import choose_workers, uses_bf16
from ufd_ray.pipeline.training.worker import Trained
from ufd_ray.pipeline.training.writing import lines_of_failed, settle
from ufd_ray.schema import IMAGE, OFFSET, STATUS
from ufd_ray.settings import TrainBaselineSettings

GIVEN = {"input": ["/i"], "output": "/o", "baseline": "co-occurrence"}


def settings(**given: Any) -> TrainBaselineSettings:
    return TrainBaselineSettings.model_validate(GIVEN | given)


@pytest.mark.parametrize(
    ("asked", "device", "cluster", "num"),
    [
        (None, "cpu", Cluster((2,)), 1),
        (2, "cpu", Cluster((2,)), 2),
        (9, "cpu", Cluster((2,)), 2),
        (None, "cpu", Cluster((16, 16, 16)), 3),
        (3, "cpu", Cluster((1,)), 1),
        (None, "cuda", Cluster((16,), num_gpus=4), 4),
        (2, "cuda", Cluster((16,), num_gpus=4), 2),
        (9, "cuda", Cluster((16,), num_gpus=4), 4),
        (None, "cuda", Cluster((2,), num_gpus=4), 2),
        (9, "cuda", Cluster((1, 1), num_gpus=4), 2),
        (None, "cuda", Cluster((1,), num_gpus=4), 1),
    ],
)
def test_how_many_workers(asked: int | None, device: Any, cluster: Cluster, num: int) -> None:
    assert choose_workers(asked, device, cluster) == num


def test_precision() -> None:
    assert uses_bf16(settings(), "cuda")
    assert not uses_bf16(settings(), "cpu")
    assert uses_bf16(settings(precision="bf16"), "cpu")
    assert not uses_bf16(settings(precision="fp32"), "cuda")


def test_another_recipe_is_not_the_published_one() -> None:
    assert choose_baseline(settings()).is_published
    changed = choose_baseline(settings(epochs=3, learning_rate=0.1, batch_size=8))
    assert not changed.is_published
    assert (changed.recipe.max_epochs, changed.recipe.learning_rate) == (3, 0.1)
    assert changed.recipe.batch_size == 8
    assert choose_baseline(settings(batch_size=64)).is_published, "it says the same"
    for weights, is_published in (("IMAGENET1K_V1", True), ("random:1", False), ("/w.pt", False)):
        started = choose_baseline(settings(baseline="spectrum", weights=weights))
        assert started.is_published == is_published
    with pytest.raises(SettingsError, match="--batch-size 9: half of each batch"):
        choose_baseline(settings(baseline="patch-resnet50-layer1", batch_size=9))


def test_each_row_asks_for_its_own_recipe_and_draw() -> None:
    train, test = PixelRecipe(8, crop="random"), PixelRecipe(8)
    wanted = Wanted({"train": train, "test": test}, seed=4)
    rows = pa.table(
        {
            PURPOSE: ["train", "test", None, "train"],
            NUMBER: [7, 1, 1, 8],
            "content_hash": ["ab" * 32, "cd" * 32, None, "ab" * 32],
        }
    )
    key = view_key("ab" * 32, 4)
    assert wanted(rows) == [
        ByRecipe(train, key, 7),
        ByRecipe(test, view_key("cd" * 32, 4), 1),
        None,
        ByRecipe(train, key, 8),
    ]


def surveyed(splits: list[str | None], labels: list[int], codes: list[str | None]) -> Any:
    num = len(splits)
    columns: dict[str, Any] = {}
    for field in (*IMAGE, OFFSET, *STATUS):
        if field.name in ("status", "duplicate_of"):
            continue  # these come later
        columns[field.name] = pa.nulls(num, field.type)
    columns["image_id"] = pa.array([f"{row:032x}" for row in range(num)])
    columns["uri"] = pa.array([f"/{row}.png" for row in range(num)])
    columns["error_code"] = pa.array(codes, pa.string())
    columns |= {
        "label": pa.array(labels, pa.int8()),
        "split": pa.array(splits, pa.string()),
        "source": pa.array(["a", None, "b", "a"][:num], pa.string()),
    }
    return pa.table(columns)


def test_what_was_found_is_summed_up() -> None:
    tables = [
        surveyed(["train", "val", None, "train"], [0, 1, 1, 1], [None, None, "not_found", None]),
        surveyed(["train", "val"], [1, 0], ["corrupt", None]),
    ]
    found = sum_up(tables)
    assert found.images["uri"].to_pylist() == ["/0.png", "/1.png", "/3.png", "/1.png"]
    assert found.rejected["error_code"].to_pylist() == ["not_found", "corrupt"]
    assert found.counts == {
        "images": 6,
        "failed": 2,
        "by_error_code": {"not_found": 1, "corrupt": 1},
        "train": {"label": {"0": 1, "1": 1}, "source": {"a": 2}},
        "val": {"label": {"1": 1, "0": 1}, "source": {}},
    }
    require_both_classes(found)


@pytest.mark.parametrize(
    ("splits", "complaint"),
    [
        (["train", "train", "train", "val"], "0 real and 1 fake ones validate"),
        (["val", "val", "train", "val"], "1 real and 0 fake ones train"),
    ],
)
def test_a_side_without_a_class_is_refused(splits: list[str | None], complaint: str) -> None:
    with pytest.raises(UfdError, match=complaint):
        require_both_classes(sum_up([surveyed(splits, [0, 1, 0, 1], [None] * 4)]))


def test_the_threshold_is_tuned_on_what_validates() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1], np.int8)
    scores = np.array([0.01, 0.02, 0.03, 0.3, 0.35, 0.4], np.float32)
    thresholds, figures = settle(Judged(labels, scores), seed=0)
    assert thresholds["default"] == 0.5
    assert thresholds["tuned"] is not None
    assert 0.03 <= thresholds["tuned"] < float(scores[3])
    assert figures is not None
    assert (figures["accuracy"], figures["accuracy_tuned"]) == (0.5, 1.0)
    assert (figures["average_precision"], figures["num_real"]) == (1.0, 3)
    assert settle(Judged(labels[:3], scores[:3]), seed=0) == (
        {"default": 0.5, "tuned": None},
        None,
    )


def trained(*failed: int, in_the_end: int = 0) -> Trained:
    """Epochs of 20 images, and 5 judged in the end."""
    curve: list[dict[str, float]] = [
        {"epoch": number, "num_images": 20, "num_failed": lost}
        for number, lost in enumerate(failed, 1)
    ]
    there = 5 - in_the_end
    judged = Judged(np.zeros(there, np.int8), np.zeros(there, np.float32), in_the_end)
    return Trained({}, judged, curve)


def test_too_many_failed_images_are_told_of_survey_and_worst_epoch() -> None:
    counts, found = {"images": 40, "failed": 4}, trained(2, 4, 0)
    assert lines_of_failed(counts, found, 0.2) == []
    (of_epoch,) = lines_of_failed(counts, found, 0.15)
    assert of_epoch.startswith("in epoch 2, 4 of 20 images could not be read: ")
    assert of_epoch.endswith("more than --max-error-rate 0.15 allows: exit status 3")
    assert lines_of_failed(counts, found, 0.05) == [
        "that is more than --max-error-rate 0.05 allows: exit status 3",
        of_epoch.replace("0.15", "0.05"),
    ]


def test_images_that_fail_in_the_end_count_as_well() -> None:
    counts, found = {"images": 40, "failed": 0}, trained(0, in_the_end=2)
    assert lines_of_failed(counts, found, 0.4) == []
    (line,) = lines_of_failed(counts, found, 0.3)
    assert line.startswith("when the network was judged, 2 of 5 images could not be read: ")
