"""`plan` measures without Ray; `score --plan` puts what it predicted beside what the run took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.crawl.fixtures import Trained
from tests.crawl.handmade import make_bank
from tests.crawl.runs import Ended, run_here
from ufd_ray.pipeline.plan import plan
from ufd_ray.pipeline.score import score
from ufd_ray.settings import PlanSettings, ScoreSettings

NUM_IMAGES = 12


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images, one of them broken."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(NUM_IMAGES - 1):
        color = (20 * number, 255 - 20 * number, 128)
        Image.new("RGB", (300, 260), color).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"")
    return folder


def make_plan(*flags: str) -> Ended:
    return run_here(PlanSettings, plan, "--startup-s=5", *flags)


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def test_a_run_has_its_plan_beside_it(images: Path, trained: Trained, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    models = [f"--bank={trained.bank}", f"--probe={trained.probe}", "--k=3"]
    same = [f"--input={images}", *models]
    planned = make_plan(*same, f"--output={file}", "--price-machine-hour=2")
    assert (planned.status, planned.err) == (0, "")
    assert f"{NUM_IMAGES} images listed" in planned.out
    assert f"measured on {NUM_IMAGES} images, of which 1 failed" in planned.out
    assert "← bottleneck" in planned.out
    content = read(file)
    stages = content["measured"]["stages"]
    assert list(stages) == ["fetch", "decode", "encode", "detect", "write"]
    assert all(cost["core_s"] > 0 and cost["wall_s"] > 0 for cost in stages.values())
    files = [path.stat().st_size for path in images.iterdir()]
    assert content["measured"]["read_bytes"] == pytest.approx(sum(files) / len(files))
    assert content["estimate"]["costs"]["machines"] > 0

    flags = [*same, f"--output={tmp_path}/out", "--run-id=a", f"--plan={file}"]
    ended = run_here(ScoreSettings, score, *flags)
    assert (ended.status, ended.err) == (0, "")
    run = read(tmp_path / "out/runs/a/run.json")
    found = run["estimate"]
    assert found["predicted_s"] == pytest.approx(content["estimate"]["predicted_s"], abs=0.001)
    assert found["actual_s"] == run["timings"]["whole_run_s"]
    assert found["ratio"] == pytest.approx(found["actual_s"] / found["predicted_s"], rel=0.01)
    assert (found["images"], found["cpus"]) == (NUM_IMAGES, 4)
    page = (tmp_path / "out/runs/a/report.html").read_text()
    assert f"predicted by the plan, seconds</th><td class=number>{found['predicted_s']:,}" in page

    # What is scored does not depend on the plan, so a run that is there is the same without one.
    again = run_here(ScoreSettings, score, *flags[:-1])
    assert again.out.startswith("run a has been published already")
    other = run_here(ScoreSettings, score, *flags[:-2], "--run-id=b", flags[-1], "--exclude=0.*")
    assert other.status == 2
    assert other.err.startswith(f"error: --plan {file} is for a run with other settings: exclude ")
    assert other.err.count("\n") == 1


def test_a_plan_for_gpus_needs_none(images: Path, trained: Trained) -> None:
    cluster = ["--machines=8", "--gpus-per-machine=8", "--cpus-per-machine=192"]
    models = [f"--input={images}", f"--bank={trained.bank}", "--k=3"]
    many = ["--gpu-images-per-s=1500", "--num-images=100000000"]
    ended = make_plan(*models, *cluster, *many)
    assert (ended.status, ended.err) == (0, "")
    assert "100,000,000 images on 8 × 192 CPUs and 8 GPUs:" in ended.out
    assert "CPU cores a GPU needs" in ended.out
    assert "\n  encode " not in ended.out


def test_a_gpu_is_not_guessed_at(images: Path, tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    ended = make_plan(f"--input={images}", f"--bank={bank}", "--k=3", "--gpus-per-machine=1")
    assert ended.status == 2
    assert "there is no GPU here to measure on; say --gpu-images-per-s" in ended.err


def test_an_encoder_alone_is_planned_for_a_bank(images: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    encoder = "--encoder=timm/test_resnet:random:1"
    ended = make_plan(f"--input={images}", encoder, "--sample=4", f"--output={file}")
    assert (ended.status, ended.err) == (0, "")
    content = read(file)
    assert list(content["measured"]["stages"]) == ["fetch", "decode", "encode", "write"]
    assert content["measured"]["num_images"] == 4
    assert content["estimate"]["num_images"] == NUM_IMAGES


def test_images_that_cannot_be_read_measure_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no image")
    ended = make_plan(f"--input={folder}", "--encoder=timm/test_resnet:random:1")
    assert ended.status == 2
    assert ended.err.startswith("error: --input: none of 1 images that were drawn can be read")
