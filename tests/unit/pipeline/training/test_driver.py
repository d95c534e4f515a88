"""How many workers train, in which precision, and what."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from ufd_ray.baselines import baseline_named
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.train_baseline import choose_baseline
from ufd_ray.pipeline.training.driver import choose_precision, choose_workers, default_workers
from ufd_ray.settings import Device, TrainBaselineSettings

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
    wanted = asked or default_workers(baseline_named("co-occurrence"), device, cluster)
    assert choose_workers(wanted, device, cluster) == num


def test_batch_norm_has_whole_batches_unless_told_otherwise() -> None:
    for cluster in (Cluster((16,), num_gpus=4), Cluster((16, 16, 16))):
        device: Device = "cuda" if cluster.num_gpus else "cpu"
        assert default_workers(baseline_named("spectrum"), device, cluster) == 1
        assert choose_workers(3, device, cluster) == 3


@pytest.mark.parametrize(
    ("asked", "device", "precision"),
    [
        ("auto", "cuda", "bf16"),
        ("auto", "cpu", "fp32"),
        ("bf16", "cpu", "bf16"),
        ("fp32", "cuda", "fp32"),
    ],
)
def test_precision(asked: Literal["auto", "fp32", "bf16"], device: Device, precision: str) -> None:
    assert choose_precision(asked, device) == precision


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
