"""A tiny baseline through Ray Train: the same on any number of workers, accounted for, compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests.crawl.handmade import HERE, make_probe
from tests.crawl.runs import Ended, run_here
from tests.crawl.tiny_baseline import NAME, tiny_known, write_pictures
from tests.ray.test_fit import killing
from ufd_ray.baselines import baseline_named, load_network
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.images import decode, to_pixels
from ufd_ray.pipeline.evaluate import evaluate
from ufd_ray.pipeline.train_baseline import train_baseline
from ufd_ray.pipeline.training import training
from ufd_ray.settings import EvaluateSettings, TrainBaselineSettings
from ufd_ray.storage import network_file, read_baseline_info

FILES = {"baseline.json", "baseline.safetensors", "curve.png", "rejects.parquet"}


@dataclass(frozen=True)
class Made:
    """A trained baseline.

    Attributes:
        folder: where it lies.
        images: the folder of its images.
        ended: how the job ended.
    """

    folder: Path
    images: Path
    ended: Ended

    @property
    def json(self) -> Any:
        return json.loads((self.folder / "baseline.json").read_text())


def make(images: Path, folder: Path, *flags: str) -> Made:
    given = ("--baseline", NAME, "--input", str(images), "--output", str(folder))
    ended = run_here(
        TrainBaselineSettings, train_baseline, *given, "--val-share", "0.3", "--seed", "1", *flags
    )
    return Made(folder, images, ended)


@pytest.fixture(scope="module", autouse=True)
def known() -> Iterator[None]:
    with tiny_known():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_pictures(tmp_path_factory.mktemp("training") / "images", 20)
    (folder / "1_fake" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture(scope="module")
def by_two(
    ray_cluster: dict[str, Any], images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    folder = tmp_path_factory.mktemp("trained")
    return make(images, folder / "baseline", "--num-workers", "2")


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_it_is_trained_and_accounted_for(by_two: Made) -> None:
    assert (by_two.ended.status, by_two.ended.err) == (0, "")
    assert names_in(by_two.folder) == FILES
    document = by_two.json
    assert (document["outcome"], document["is_published"]) == ("published", True)
    counts = document["counts"]
    assert (counts["images"], counts["failed"]) == (41, 1)
    assert list(counts["by_error_code"].values()) == [1]
    rejected = pq.read_table(by_two.folder / "rejects.parquet").to_pylist()
    assert [Path(row["uri"]).name for row in rejected] == ["broken.png"]
    num = [sum(counts[split]["label"].values()) for split in ("train", "val")]
    assert sum(num) == 40
    assert min(num) > 5
    curve = document["training_curve"]
    assert [entry["epoch"] for entry in curve] == [1, 2]
    assert {entry["learning_rate"] for entry in curve} == {1e-2}
    assert curve[1]["train_loss"] < curve[0]["train_loss"]
    assert {entry["num_failed"] for entry in curve} == {0}
    assert document["validation"]["num_real"] + document["validation"]["num_fake"] == num[1]
    assert document["training_resumed_at"] == []


def test_one_worker_comes_to_the_same(by_two: Made, tmp_path: Path) -> None:
    by_one = make(by_two.images, tmp_path / "baseline", "--num-workers", "1")
    assert (by_one.ended.status, by_one.ended.err) == (0, "")
    for mine, other in zip(
        by_one.json["training_curve"], by_two.json["training_curve"], strict=True
    ):
        assert mine == pytest.approx(other, abs=1e-4)
    # The same command again has nothing to do, and another one is refused.
    again = make(by_two.images, tmp_path / "baseline", "--num-workers", "2")
    assert (again.ended.status, again.ended.out) == (
        0,
        f"this baseline has been trained already: {tmp_path}/baseline\n",
    )
    other = make(by_two.images, tmp_path / "baseline", "--epochs", "3")
    assert other.ended.status == 2
    assert "epochs was None, is 3" in other.ended.err


def test_an_evaluation_has_its_row(by_two: Made, tmp_path: Path) -> None:
    images = write_pictures(tmp_path / "tests" / "blurred", 6, seed=7)
    encoder = Encoder.load(EncoderSpec.parse("timm/test_resnet:random:1"))
    probe = make_probe(tmp_path / "probe", encoder.identity, weight=0.1)
    flags = (f"--input={images.parent}", f"--probe={probe}", f"--output={tmp_path / 'out'}")
    flags += (f"--compare-baseline=small={by_two.folder}", "--no-figures", "--no-gallery")
    ended = run_here(EvaluateSettings, evaluate, *flags, "--no-bias-check", "--sweep-blur")
    assert (ended.status, ended.err) == (0, "")
    info = read_baseline_info(str(by_two.folder), "--compare-baseline", HERE)
    baseline = baseline_named(info.name, info.arch, info.options)
    with network_file(info, HERE) as file:
        network = load_network(baseline, file)
    rows = pq.read_table(tmp_path / "out" / "scores.parquet").to_pylist()
    assert len(rows) == 12
    for row in rows:
        image = decode(Path(row["uri"]).read_bytes(), max_pixels=10**6)
        pixels = torch.from_numpy(to_pixels(image, mode="crop", size=32)[None].copy())
        with torch.inference_mode():
            score = float(baseline.scores(network(baseline.inputs(pixels))))
        assert row["baseline_small"] == pytest.approx(score, abs=1e-5)
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert document["detectors"]["baseline_small"] == {
        "default": 0.5,
        "tuned": by_two.json["thresholds"]["tuned"],
    }
    assert document["baselines"]["small"]["sha256"] == info.sha256
    text = (tmp_path / "out" / "tables.md").read_text()
    assert "- small: tiny, convolutions (as published)" in text
    assert "| small |" in text
    assert "baseline_small: mAP" in ended.out
    swept = pq.read_table(tmp_path / "out" / "sweeps.parquet").to_pylist()
    assert {row["detector"] for row in swept} == {"probe_score"}


def test_too_many_failures_are_said_by_the_exit_status(
    ray_cluster: dict[str, Any], images: Path, tmp_path: Path
) -> None:
    made = make(images, tmp_path / "baseline", "--max-error-rate", "0.01", "--epochs", "1")
    assert made.ended.status == 3
    assert "1 images failed" in made.ended.out
    assert (made.json["outcome"], made.json["is_published"]) == ("published_with_errors", False)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_training_goes_on(
    ray_cluster: dict[str, Any],
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_S", 0.0)
    folder, flags = tmp_path / "baseline", ("--num-workers", "2", "--epochs", "12")

    def is_kept() -> bool:
        notes = folder.glob("fitting-*/checkpoints/checkpoint_manager_snapshot.json")
        return any("checkpoint_2" in note.read_text() for note in notes)

    with killing(is_kept) as killed:
        made = make(images, folder, *flags)
    assert killed, "training had ended before anything could be killed"
    assert made.ended.status == 0, made.ended.err
    (resumed_at,) = made.json["training_resumed_at"]
    curve = made.json["training_curve"]
    assert 1 <= resumed_at < len(curve)
    assert [entry["epoch"] for entry in curve] == list(range(1, len(curve) + 1))
    assert names_in(folder) == FILES
    whole = make(images, tmp_path / "whole", *flags)
    assert len(whole.json["training_curve"]) == len(curve)
    for mine, other in zip(curve, whole.json["training_curve"], strict=True):
        assert mine == pytest.approx(other, abs=1e-4)
    networks = [_network(one.folder) for one in (made, whole)]
    for name, values in networks[0].items():
        assert np.allclose(values, networks[1][name], atol=1e-4), name


def _network(folder: Path) -> dict[str, Any]:
    info = read_baseline_info(str(folder), "--compare-baseline", HERE)
    with network_file(info, HERE) as file:
        network = load_network(baseline_named(info.name), file)
    return {name: one.numpy() for name, one in network.state_dict().items()}
