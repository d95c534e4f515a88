"""Fitting by Ray Train: any number of workers, lost workers, and what judges the probe."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.numpy import load_file

from tests.crawl.handmade import HERE, TINY
from tests.crawl.runs import Ended, run_here
from ufd_ray.detectors import Probe, cross_validate, deal_folds, fit_logistic, fit_paper
from ufd_ray.pipeline.fit_probe import fit_probe
from ufd_ray.pipeline.fitting import driver
from ufd_ray.pipeline.fitting.rows import TRAIN, TRAIN_VIEWS, VAL_VIEWS, read_rows
from ufd_ray.schema import bank_row
from ufd_ray.settings import FitProbeSettings
from ufd_ray.storage import embedding_column, read_bank_info, write_document, write_table

pytestmark = pytest.mark.usefixtures("ray_cluster")

DIM = 24
NUM_IMAGES = 360


def make_rows(seed: int, labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Embeddings of CLIP's size whose classes overlap."""
    rng = np.random.default_rng(seed)
    direction = np.random.default_rng(9).normal(size=DIM)
    rows = 3 + rng.normal(size=(len(labels), DIM)) * 3 + np.outer(2 * labels - 1, direction)
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank whose classes overlap."""
    return make_bank(tmp_path_factory.mktemp("fit") / "bank", 1.0)


@pytest.fixture(scope="module")
def faint_bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose embeddings are so small that the paper's steps change no verdict: it soon stops."""
    return make_bank(tmp_path_factory.mktemp("fit") / "faint", 1e-4)


def make_bank(folder: Path, scale: float) -> Path:
    """Three shards of 120 images: two augmented views of each that trains, view 0 of all."""
    shards = []
    for number in range(3):
        images = np.repeat(np.arange(120 * number, 120 * (number + 1)), 3)
        view = np.tile(np.arange(3), 120)
        split = np.where(images % 5 == 0, "val", "train")
        kept = (split == "train") | (view < 2)
        images, view, split = images[kept], view[kept], split[kept]
        labels = images // 2 % 2
        columns: dict[str, Any] = {
            "image_id": [f"{image:032x}" for image in images],
            "uri": [f"/{image}.png" for image in images],
            "member": pa.nulls(len(images), pa.string()),
            "label": labels,
            "source": [f"{label} {image % 7}" for label, image in zip(labels, images, strict=True)],
            "split": split,
            "view": view,
            "embedding": embedding_column(make_rows(number, labels) * np.float32(scale)),
        }
        table = pa.table(columns).cast(bank_row(DIM, "float32"))
        shards.append(write_table(str(folder), f"shards/part-{number:05d}.parquet", table, HERE))
    content = {
        "encoder": replace(TINY, dim=DIM).to_dict(),
        "dim": DIM,
        "dtype": "float32",
        "counts": {
            "label": {"0": 504, "1": 504},
            "split": {"train": 864, "val": 144},
            "view": {"0": 360, "1": 360, "2": 288},
        },
        "shards": [asdict(shard) for shard in shards],
        "num_searchable": 288,
    }
    write_document(str(folder), "bank.json", content, HERE)
    return folder


def fit(bank: Path, output: Path, *flags: str) -> tuple[Ended, Any]:
    """How the job ended, and `probe.json`."""
    given = ("--bank", str(bank), "--output", str(output), *flags)
    ended = run_here(FitProbeSettings, fit_probe, *given)
    document = output / "probe.json"
    return ended, json.loads(document.read_text()) if document.exists() else None


def logits(folder: Path) -> np.ndarray[Any, Any]:
    tensors = load_file(folder / "probe.safetensors")
    probe = Probe(tensors["weight"], np.float32(tensors["bias"][0]))
    return probe.logits(make_rows(5, np.arange(500) % 2))


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def cross_validated(
    bank: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Ended, Any]:
    """Fitted by two workers, with what cross-validation chooses."""
    folder = tmp_path_factory.mktemp("fitted") / "probe"
    flags = ("--l2", "cv", "--max-fpr", "0.2", "--progress-s", "0.05")
    # Named as from here, which is not where Ray Train's workers are.
    return folder, *fit(Path(os.path.relpath(bank)), folder, *flags)


def test_two_workers_come_to_what_one_process_does(
    bank: Path, cross_validated: tuple[Path, Ended, Any]
) -> None:
    folder, ended, by_two = cross_validated
    assert (ended.status, ended.err) == (0, "")
    rows = read_rows(read_bank_info(str(bank), HERE), HERE, [TRAIN, TRAIN_VIEWS])
    images, views = rows[TRAIN], rows[TRAIN_VIEWS]
    folds = deal_folds(images.image_ids, images.labels, images.sources, 5, seed=0).numbers
    fold_of = dict(zip(images.image_ids, folds, strict=True))
    of_views = np.array([fold_of[image_id] for image_id in views.image_ids])
    found = cross_validate(
        views.embeddings, views.labels, of_views, images.embeddings, images.labels, folds
    )
    validated = by_two["cross_validation"]
    assert validated["l2"] == found.c
    for ours, alone in zip(validated["grid"], found.grid, strict=True):
        assert ours == pytest.approx(alone, abs=1e-6)
    alone = fit_logistic(views.embeddings, views.labels, c=found.c).probe
    new = make_rows(5, np.arange(500) % 2)
    assert np.abs(alone.logits(new) - logits(folder)).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 4])
def test_any_number_of_workers_comes_to_the_same(
    bank: Path, cross_validated: tuple[Path, Ended, Any], tmp_path: Path, num_workers: int
) -> None:
    folder, _, by_two = cross_validated
    flags = ("--l2", "cv", "--max-fpr", "0.2", "--num-workers", str(num_workers))
    ended, document = fit(bank, tmp_path / "probe", *flags)
    assert (ended.status, ended.err) == (0, "")
    assert np.abs(logits(tmp_path / "probe") - logits(folder)).max() < 1e-4
    assert document["cross_validation"]["l2"] == by_two["cross_validation"]["l2"]
    for name, threshold in by_two["thresholds"].items():
        assert document["thresholds"][name] == pytest.approx(threshold, abs=1e-4)


def test_views_are_fitted_on_and_images_judged(cross_validated: tuple[Path, Ended, Any]) -> None:
    _, ended, document = cross_validated
    assert ended.status == 0, ended.err
    assert (document["num_training_images"], document["num_training_rows"]) == (288, 576)
    assert document["validation"]["num_images"] == 72
    assert document["judged"]["of"] == "val"
    validated = document["cross_validation"]
    assert validated["figures"]["num_images"] == 288
    assert validated["figures"]["intervals"]["counted"] == "sources"
    best = min(validated["grid"], key=lambda entry: entry["log_loss"])
    assert document["l2"] == validated["l2"] == best["l2"]
    low, high = validated["figures"]["intervals"]["accuracy"]
    assert low < validated["figures"]["accuracy"] < high


def test_thresholds_and_calibration_are_kept(cross_validated: tuple[Path, Ended, Any]) -> None:
    _, ended, document = cross_validated
    thresholds = document["thresholds"]
    assert thresholds["default"] == 0.5
    assert all(0 < thresholds[name] < 1 for name in ("tuned", "max_fpr", "calibrated"))
    assert document["calibration"]["method"] == "platt"
    assert f"max-fpr {thresholds['max_fpr']:.4g}" in ended.out
    assert "72 images tell an accuracy to within" in ended.out


def test_progress_is_told_and_nothing_is_left(cross_validated: tuple[Path, Ended, Any]) -> None:
    folder, ended, _ = cross_validated
    told = ("cross-validation: 5 folds, 9 values of l2, ", "step ")
    assert [line for line in ended.out.splitlines() if line.startswith(told)]
    assert names_in(folder) == {"probe.json", "probe.safetensors", "curve.png"}


def train_workers() -> list[int]:
    """Ids of the processes that fit, among this process's descendants."""
    parents, found = {}, []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            title = (entry / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, IndexError):
            continue
        parents[int(entry.name)] = int(status[1])
        if title.startswith("ray::RayTrainWorker"):
            found.append(int(entry.name))

    def is_ours(pid: int) -> bool:
        while pid not in (0, os.getpid()):
            pid = parents.get(pid, 0)
        return pid != 0

    return [pid for pid in found if is_ours(pid)]


@contextmanager
def killing(when: Callable[[], bool]) -> Iterator[list[int]]:
    """Kill one fitting process as soon as `when()`; the list then holds its id."""
    killed: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set() and not killed:
            with suppress(OSError):  # what is looked at may be gone
                if when() and (workers := train_workers()):
                    os.kill(workers[0], signal.SIGKILL)
                    killed.append(workers[0])
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def kept_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every epoch; Ray Train takes note of it at once (see `conftest`)."""
    monkeypatch.setattr(driver, "CHECKPOINT_S", 0.0)


def is_kept(folder: Path) -> bool:
    """Whether a fit would go on from a checkpoint if it were cut off now."""
    notes = folder.glob("fitting-*/checkpoints/checkpoint_manager_snapshot.json")
    return any("checkpoint_2" in note.read_text() for note in notes)


@pytest.mark.slow
@pytest.mark.usefixtures("kept_often")
def test_a_killed_worker_is_replaced_and_the_fit_goes_on(faint_bank: Path, tmp_path: Path) -> None:
    with killing(lambda: is_kept(tmp_path / "probe")) as killed:
        ended, document = fit(faint_bank, tmp_path / "probe", "--recipe", "paper")
    assert killed, "the fit had ended before anything could be killed"
    assert ended.status == 0, ended.err
    (resumed_at,) = document["training_resumed_at"]
    curve = document["training_curve"]
    assert 1 <= resumed_at < len(curve)
    assert [entry["epoch"] for entry in curve] == list(range(1, len(curve) + 1))
    assert names_in(tmp_path / "probe") == {"probe.json", "probe.safetensors", "curve.png"}

    bank = read_bank_info(str(faint_bank), HERE)
    rows = read_rows(bank, HERE, [TRAIN_VIEWS, VAL_VIEWS])
    train, val = rows[TRAIN_VIEWS], rows[VAL_VIEWS]
    alone = fit_paper(train.embeddings, train.labels, val.embeddings, val.labels, seed=0)
    tensors = load_file(tmp_path / "probe" / "probe.safetensors")
    assert np.abs(tensors["weight"] - alone.probe.weight).max() < 1e-6
    assert tensors["bias"][0] == pytest.approx(float(alone.probe.bias), abs=1e-6)
    assert [entry["train_loss"] for entry in curve] == pytest.approx(
        [entry["train_loss"] for entry in alone.curve], abs=1e-9
    )


@pytest.mark.slow
@pytest.mark.usefixtures("kept_often")
def test_a_fit_that_loses_too_many_workers_fails(faint_bank: Path, tmp_path: Path) -> None:
    folder = tmp_path / "probe"
    with killing(lambda: is_kept(folder)) as killed:
        ended, document = fit(faint_bank, folder, "--recipe", "paper", "--max-failures", "0")
    assert killed
    assert (ended.status, document) == (1, None)
    assert ended.err.startswith("error: the fit failed more than 0 times (--max-failures)")
    assert ended.err.count("\n") == 1
    assert names_in(folder) == set()


@pytest.mark.usefixtures("nothing_starts")
def test_imported_weights_are_judged_as_well(bank: Path, tmp_path: Path) -> None:
    file = tmp_path / "fc.pth"
    weight = torch.from_numpy(np.random.default_rng(9).normal(size=(1, DIM)))
    torch.save({"weight": weight.float(), "bias": -3 * weight.sum().reshape(1).float()}, file)
    ended, document = fit(bank, tmp_path / "probe", "--import", str(file), "--max-fpr", "0.2")
    assert ended.status == 0, ended.err
    assert (document["recipe"], document["l2"], document["training_curve"]) == (
        "imported",
        None,
        [],
    )
    assert document["validation"]["num_images"] == document["judged"]["num_real"] * 2 == 72
    assert document["validation"]["accuracy"] > 0.6
    assert document["thresholds"]["max_fpr"] is not None
    assert document["calibration"]["scale"] > 0
    assert names_in(tmp_path / "probe") == {"probe.json", "probe.safetensors"}


@pytest.mark.usefixtures("nothing_starts")
def test_a_probe_of_a_release_without_thresholds_is_refused(bank: Path, tmp_path: Path) -> None:
    file = tmp_path / "fc.pth"
    torch.save({"weight": torch.ones(1, DIM), "bias": torch.zeros(1)}, file)
    fit(bank, tmp_path / "probe", "--import", str(file))
    document = json.loads((tmp_path / "probe" / "probe.json").read_text())
    for name in ("calibrate", "max_fpr", "confidence", "fake_share", "folds"):
        del document["fingerprint"][name]
    (tmp_path / "probe" / "probe.json").write_text(json.dumps(document))
    ended, _ = fit(bank, tmp_path / "probe", "--import", str(file))
    assert ended.status == 2
    assert "holds a probe fitted with other settings: calibrate was None, is 'platt'" in ended.err
