from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ufd_ray.encoders import EncoderIdentity
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.recalling import plan_recall
from ufd_ray.storage import PublishedRun

ENCODER = EncoderIdentity.from_dict(
    {
        "arch": "timm/resnet18",
        "weights": "random:0",
        "preprocess": "crop",
        "input_size": 224,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "dim": 512,
        "weights_digest": "0" * 64,
    }
)
MADE_BY = {"encoder_id": ENCODER.encoder_id, "precision": "fp16", "dtype": "float32"}


def run(name: str, *, kept: bool = True, **made_by: Any) -> PublishedRun:
    files = [{"name": "scores/part-00000.parquet"}]
    files += [{"name": "embeddings/part-00000.parquet"}] * kept
    document = {"files": files, "detectors": MADE_BY | made_by}
    return PublishedRun(name, f"/out/runs/{name}", "2026-11-24T00:00:00+00:00", "d", document)


def test_the_precision_is_that_in_which_they_were_made() -> None:
    plan = plan_recall([run("a"), run("b")], ENCODER, "float32")
    assert (plan.precision, plan.dtype, plan.device) == ("fp16", "float32", "cpu")


def test_a_run_that_kept_nothing_is_named() -> None:
    with pytest.raises(SettingsError, match="--from-run b: that run kept no embeddings"):
        plan_recall([run("a"), run("b", kept=False)], ENCODER, "float32")


@pytest.mark.parametrize(
    ("made_by", "difference"),
    [
        ({"encoder_id": "other"}, f"encoder_id was 'other', is '{ENCODER.encoder_id}'"),
        ({"precision": "bf16"}, "precision was 'bf16', is 'fp16'"),
        ({"dtype": "float16"}, "dtype was 'float16', is 'float32'"),
    ],
)
def test_other_embeddings_are_refused_with_the_difference(
    made_by: dict[str, Any], difference: str
) -> None:
    with pytest.raises(SettingsError, match=f"--from-run a: .*{difference}"):
        plan_recall([run("a", **made_by), run("b")], ENCODER, "float32")


def test_the_weights_count_whatever_their_name() -> None:
    other = replace(ENCODER, weights_digest="1" * 64)
    with pytest.raises(SettingsError, match="encoder_id was"):
        plan_recall([run("a")], other, "float32")


def test_a_run_without_images_has_nothing_to_keep() -> None:
    empty = run("b", kept=False)
    empty.document["counts"] = {"images": 0}
    assert plan_recall([run("a"), empty], ENCODER, "float32").precision == "fp16"
