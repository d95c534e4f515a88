"""A tiny baseline through Ray Train: what a plain loop does, on any number of workers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from tests.crawl.handmade import HERE, make_probe
from tests.crawl.runs import Ended, run_here
from tests.crawl.tiny_baseline import NAME, scores_without_ray, tiny_known, write_pictures
from tests.crawl.training_here import trained_in_this_process
from tests.ray.test_fit import killing
from ufd_ray.baselines import baseline_named, load_network
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.tower import own_random_numbers
from ufd_ray.images import ByRecipe, PixelRecipe, decode, make_by_recipe, view_key
from ufd_ray.pipeline.banking.plan import draw_splits
from ufd_ray.pipeline.evaluate import evaluate
from ufd_ray.pipeline.train_baseline import train_baseline
from ufd_ray.pipeline.training import driver
from ufd_ray.pipeline.training.order import epoch_batches
from ufd_ray.settings import EvaluateSettings, TrainBaselineSettings
from ufd_ray.storage import network_file, read_baseline_info

FILES = {"baseline.json", "baseline.safetensors", "curve.png", "rejects.parquet"}
SEED, VAL_SHARE = 1, 0.3
LONG = ("--num-workers", "2", "--epochs", "20")


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

    @property
    def network(self) -> dict[str, Tensor]:
        info = read_baseline_info(str(self.folder), "--compare-baseline", HERE)
        with network_file(info, HERE) as file:
            return load_network(baseline_named(info.name), file).state_dict()


def make(images: Path, folder: Path, *flags: str) -> Made:
    given = ("--baseline", NAME, "--input", str(images), "--output", str(folder))
    given += ("--val-share", str(VAL_SHARE), "--seed", str(SEED))
    return Made(folder, images, run_here(TrainBaselineSettings, train_baseline, *given, *flags))


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
def by_one(
    ray_cluster: dict[str, Any], images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    folder = tmp_path_factory.mktemp("trained") / "baseline"
    with trained_in_this_process():
        return make(images, folder, "--num-workers", "1", "--max-error-rate", "0.01")


@dataclass(frozen=True)
class Plain:
    """The same training in one process, file by file.

    Attributes:
        curve: losses and accuracy of each epoch.
        network: what came of it.
        num_train: images that train.
        num_val: images that validate.
    """

    curve: list[dict[str, float]]
    network: dict[str, Tensor]
    num_train: int
    num_val: int


@pytest.fixture(scope="module")
def plain(images: Path) -> Plain:
    baseline = baseline_named(NAME)
    files = [path for path in sorted(images.rglob("*.png")) if path.name != "broken.png"]
    data = [path.read_bytes() for path in files]
    hashes = [hashlib.sha256(one).hexdigest() for one in data]
    splits = np.array(draw_splits(pa.chunked_array([hashes]), VAL_SHARE).to_pylist())
    labels = np.array([int("1_fake" in path.parts) for path in files])
    train, val = (np.flatnonzero(splits == split) for split in ("train", "val"))

    def pixels(rows: Any, recipe: PixelRecipe, number: int) -> Tensor:
        wanted = [ByRecipe(recipe, view_key(hashes[row], SEED), number) for row in rows]
        decoded = [decode(data[row], max_pixels=10**6) for row in rows]
        made = [make_by_recipe(*pair) for pair in zip(decoded, wanted, strict=True)]
        return torch.from_numpy(np.stack(made))

    with own_random_numbers(SEED):
        network = baseline.build()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    curve = []
    for epoch in (1, 2):
        total = 0.0
        for batch in epoch_batches(labels[train], 12, seed=SEED, epoch=epoch, balanced=False):
            rows = train[batch]
            optimizer.zero_grad()
            outputs = network(baseline.inputs(pixels(rows, baseline.train_pixels, epoch)))
            losses = baseline.losses(outputs, torch.from_numpy(labels[rows]))
            losses.mean().backward()
            optimizer.step()
            total += float(losses.detach().sum())
        with torch.no_grad():
            outputs = network(baseline.inputs(pixels(val, baseline.validation_pixels, 1)))
            right = (baseline.scores(outputs).numpy() > 0.5) == labels[val]
            losses = baseline.losses(outputs, torch.from_numpy(labels[val]))
        curve.append(
            {
                "train_loss": total / len(train),
                "validation_loss": float(losses.mean()),
                "validation_accuracy": float(np.mean(right)),
            }
        )
    return Plain(curve, network.state_dict(), len(train), len(val))


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_it_comes_to_what_a_plain_loop_does(by_one: Made, plain: Plain) -> None:
    curve = by_one.json["training_curve"]
    assert [entry["epoch"] for entry in curve] == [1, 2]
    for entry, alone in zip(curve, plain.curve, strict=True):
        assert {name: entry[name] for name in alone} == pytest.approx(alone, abs=1e-4)
        assert (entry["learning_rate"], entry["num_failed"]) == (1e-2, 0)
    for name, values in by_one.network.items():
        torch.testing.assert_close(values, plain.network[name], atol=1e-4, rtol=0)


def test_all_images_are_accounted_for(by_one: Made, plain: Plain) -> None:
    # One of 41 is more than the share that may fail.
    assert (by_one.ended.status, by_one.ended.err) == (3, "")
    assert names_in(by_one.folder) == FILES
    document = by_one.json
    assert (document["outcome"], document["is_published"]) == ("published_with_errors", True)
    counts = document["counts"]
    assert (counts["images"], counts["failed"]) == (41, 1)
    assert list(counts["by_error_code"].values()) == [1]
    (rejected,) = pq.read_table(by_one.folder / "rejects.parquet").to_pylist()
    assert rejected["uri"].endswith("broken.png")
    num = [sum(counts[split]["label"].values()) for split in ("train", "val")]
    assert num == [plain.num_train, plain.num_val]
    found = document["validation"]
    assert found["num_real"] + found["num_fake"] == plain.num_val
    assert document["thresholds"]["default"] == 0.5
    assert (document["training_resumed_at"], document["starts_from"]) == ([], None)
    assert (document["num_workers"], document["weights_file"]) == (1, None)
    assert "1 images failed" in by_one.ended.out
    told = f"trained on {plain.num_train} images in 2 epochs, {plain.num_val} validate"
    assert told in by_one.ended.out


@pytest.mark.usefixtures("nothing_starts")
def test_what_has_been_trained_is_not_trained_again(by_one: Made) -> None:
    again = make(by_one.images, by_one.folder, "--num-workers", "2")
    said = f"this baseline has been trained already: {by_one.folder}\n"
    assert (again.ended.status, again.ended.out) == (3, said)
    other = make(by_one.images, by_one.folder, "--epochs", "3")
    assert other.ended.status == 2
    assert "epochs was None, is 3" in other.ended.err


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_any_number_of_workers_comes_to_the_same(
    by_one: Made, tmp_path: Path, num_workers: int
) -> None:
    other = make(by_one.images, tmp_path / "baseline", "--num-workers", str(num_workers))
    assert (other.ended.status, other.ended.err) == (0, "")
    for mine, one in zip(other.json["training_curve"], by_one.json["training_curve"], strict=True):
        assert mine == pytest.approx(one, abs=1e-4)


@pytest.mark.slow
def test_what_was_trained_is_evaluated(by_one: Made, tmp_path: Path) -> None:
    images = write_pictures(tmp_path / "tests" / "blurred", 6, seed=7)
    encoder = Encoder.load(EncoderSpec.parse("timm/test_resnet:random:1"))
    probe = make_probe(tmp_path / "probe", encoder.identity, weight=0.1)
    flags = (f"--input={images.parent}", f"--probe={probe}", f"--output={tmp_path / 'out'}")
    flags += (f"--compare-baseline=small={by_one.folder}", "--align", "--align-size=40")
    ended = run_here(EvaluateSettings, evaluate, *flags, "--sweep-blur", "--no-bias-check")
    assert (ended.status, ended.err) == (0, "")
    rows = pq.read_table(tmp_path / "out" / "scores.parquet").to_pylist()
    as_they_came = scores_without_ray(by_one.folder, [Path(row["uri"]) for row in rows])
    scores = np.array([row["baseline_small"] for row in rows], np.float32)
    assert len(scores) == 12
    assert not np.allclose(scores, as_they_came, atol=1e-6), "images were to be aligned"
    assert np.allclose(scores, as_they_came, atol=0.1)
    swept = pq.read_table(tmp_path / "out" / "sweeps.parquet").to_pylist()
    assert {row["detector"] for row in swept} == {"probe_score"}


@pytest.fixture(scope="module")
def undisturbed(
    ray_cluster: dict[str, Any], images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    return make(images, tmp_path_factory.mktemp("whole") / "baseline", *LONG)


@pytest.mark.slow
@pytest.mark.parametrize("max_failures", [3, 0])
def test_training_goes_on_from_its_last_checkpoint(
    undisturbed: Made,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    max_failures: int,
) -> None:
    """When a lost worker is replaced, and when the whole job is submitted again."""
    monkeypatch.setattr(driver, "CHECKPOINT_S", 0.0)
    folder, flags = tmp_path / "baseline", (*LONG, "--max-failures", str(max_failures))

    def is_kept() -> bool:
        notes = folder.glob("training-*/checkpoints/checkpoint_manager_snapshot.json")
        return any("checkpoint_2" in note.read_text() for note in notes)

    with killing(is_kept) as killed:
        made = make(images, folder, *flags)
    assert killed, "training had ended before anything could be killed"
    if not max_failures:
        assert made.ended.status == 1
        assert "the training failed more than 0 times" in made.ended.err
        assert {name.partition("-")[0] for name in os.listdir(folder)} == {"training"}
        made = make(images, folder, *flags)
    assert made.ended.status == 0, made.ended.err
    (resumed_at,) = made.json["training_resumed_at"]
    curve = made.json["training_curve"]
    assert 1 <= resumed_at < len(curve)
    assert [entry["epoch"] for entry in curve] == list(range(1, len(curve) + 1))
    assert names_in(folder) == FILES
    for mine, other in zip(curve, undisturbed.json["training_curve"], strict=True):
        assert mine == pytest.approx(other, abs=1e-4)
    for name, values in made.network.items():
        torch.testing.assert_close(values, undisturbed.network[name], atol=1e-4, rtol=0)
