"""Sweeps of an evaluation through Ray: the same figures as without, and the main ones unchanged."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm
from PIL import Image
from safetensors.torch import save_file

from tests.crawl.handmade import HERE, make_bank, make_probe
from tests.crawl.runs import Ended, run_here
from tests.docs.pages import block
from tests.ray.smooth_images import Vectors, embed, smooth
from tests.unit.images.samples import encoded
from ufd_ray.detectors import (
    NeighborSearch,
    Probe,
    balanced_order,
    fit_logistic,
    margin,
    mean_margin,
    searchable,
    vote,
)
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.evaluation import accuracy_at, average_precision
from ufd_ray.images import Form, decode
from ufd_ray.pipeline.evaluate import evaluate
from ufd_ray.schema import SWEEPS
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import read_bank_info, read_probe, read_searchable

KS = (1, 3)


@dataclass(frozen=True)
class Swept:
    """An evaluation with all sweeps."""

    root: Path
    ended: Ended
    flags: tuple[str, ...]

    def figures(self, sweep: str) -> dict[tuple[str, str, str, str], float]:
        """By setting, set, detector and metric."""
        rows = pq.read_table(self.root / "out" / "sweeps.parquet").to_pylist()
        names = ("setting", "set", "detector", "metric")
        return {
            (row[names[0]], row[names[1]], row[names[2]], row[names[3]]): row["value"]
            for row in rows
            if row["sweep"] == sweep
        }


@pytest.fixture(scope="module")
def swept(
    ray_cluster: dict[str, Any],
    small_encoder: Encoder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Swept:
    root, first = tmp_path_factory.mktemp("swept"), small_encoder
    for name, num in (("a/0_real", 5), ("a/1_fake", 4)):
        (root / "tests" / name).mkdir(parents=True)
        for number in range(num):
            image = smooth(10 * num + number)
            (root / "tests" / name / f"{number}.png").write_bytes(encoded(image, "PNG"))
    (root / "tests/a/0_real/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    bank = make_bank(root / "bank", first.identity, vectors=embed(first, seeds(100, 112)))
    make_bank(root / "ldm", first.identity, vectors=embed(first, seeds(200, 210)))
    # Of the same encoder here: another one takes a flow of its own (below).
    make_bank(root / "rn50", first.identity, vectors=embed(first, seeds(300, 308)))
    probe = make_probe(root / "probe", first.identity, weight=0.1)
    there = {
        "s3://crawl/labelled": str(root / "tests"),
        "s3://models/bank": str(bank),
        "s3://models/probe": str(probe),
        "s3://scores/evaluations/sweeps": str(root / "out"),
        "ldm=s3://models/ldm": f"ldm={root / 'ldm'}",
        "rn50=s3://models/rn50": f"rn50={root / 'rn50'}",
        **{"100": "4", "400": "12"},
    }
    (command,) = block("docs/evaluation.md#sweeps").commands()
    flags = tuple(there.get(word, word) for word in command[2:])
    flags += ("--sweep-qualities=20", "--sweep-sigmas=3", *(f"--ks={k}" for k in KS))
    flags += ("--batch-size=8", "--no-bias-check", "--no-figures", "--max-error-rate=0.2")
    return Swept(root, run_here(EvaluateSettings, evaluate, *flags), flags)


def seeds(first: int, end: int) -> list[Image.Image]:
    return [smooth(seed) for seed in range(first, end)]


@pytest.fixture(scope="module")
def images(swept: Swept) -> tuple[list[Image.Image], npt.NDArray[np.int64]]:
    files = sorted((swept.root / "tests").rglob("[0-9].png"))
    labels = np.array([file.parent.name == "1_fake" for file in files], np.int64)
    return [decode(file.read_bytes(), max_pixels=10**6) for file in files], labels


def check(
    found: dict[tuple[str, str, str, str], float],
    setting: str,
    labels: npt.NDArray[np.int64],
    scores: dict[str, Vectors],
) -> None:
    for detector, values in scores.items():
        default = 0.0 if "margin" in detector else 0.5
        right = accuracy_at(labels, values, default)
        expected = {
            "average_precision": average_precision(labels, values),
            "accuracy": (right.real + right.fake) / 2,
        }
        for metric, value in expected.items():
            for one in ("a", "mean/all"):
                assert found[setting, one, detector, metric] == pytest.approx(value), detector


def by_bank(embeddings: Vectors, vectors: Vectors, labels: Any, names: Any) -> dict[str, Vectors]:
    search = NeighborSearch(vectors, labels, names)
    near = search.search(embeddings, 1, per_class=max(KS))
    found = {"nn_margin": margin(near)}
    found |= {f"nn_mean_margin_k{k}": mean_margin(near, k) for k in KS}
    return found | {f"nn_vote_k{k}": vote(search.search(embeddings, k), labels) for k in KS}


def test_as_it_is_is_the_evaluation_itself(swept: Swept) -> None:
    assert (swept.ended.status, swept.ended.err) == (0, "")
    metrics = pq.read_table(swept.root / "out" / "metrics.parquet").to_pylist()
    main = {(row["set"], row["detector"], row["metric"]): row["value"] for row in metrics}
    for sweep, setting in (
        *(("jpeg", "none"), ("blur", "0"), ("preprocess", "crop (the bank's)")),
        ("bank", "own"),
    ):
        found = swept.figures(sweep)
        assert {k[1:]: v for k, v in found.items() if k[0] == setting} == main
    # All that the bank has, in another order: the neighbours are the evaluation's.
    for (setting, *key), value in swept.figures("train_size").items():
        if setting == "12" and key[1] != "probe_score":
            assert "tuned" in key[2] or value == main[key[0], key[1], key[2]]
    document = json.loads((swept.root / "out" / "evaluation.json").read_text())
    assert (document["counts"]["failed"], document["counts"]["used"]) == (1, 9)


@pytest.mark.parametrize(
    ("sweep", "setting", "form"),
    [
        ("jpeg", "20", Form(quality=20)),
        ("blur", "3", Form(sigma=3)),
        ("preprocess", "resize", Form(mode="resize")),
    ],
)
def test_forms_are_judged_as_without_ray(
    swept: Swept,
    images: tuple[list[Image.Image], npt.NDArray[np.int64]],
    small_encoder: Encoder,
    sweep: str,
    setting: str,
    form: Form,
) -> None:
    embeddings = embed(small_encoder, images[0], form)
    bank = searchable(read_searchable(read_bank_info(str(swept.root / "bank"), HERE), HERE))
    probe = read_probe(str(swept.root / "probe"), HERE)
    scores = by_bank(embeddings, bank.embeddings, bank.labels, bank.image_ids)  # type: ignore[arg-type]
    scores["probe_score"] = Probe(probe.weight, np.float32(probe.bias)).scores(embeddings)
    check(swept.figures(sweep), setting, images[1], scores)


def test_fewer_training_images_are_judged_as_without_ray(
    swept: Swept,
    images: tuple[list[Image.Image], npt.NDArray[np.int64]],
    small_encoder: Encoder,
) -> None:
    embeddings = embed(small_encoder, images[0])
    bank = searchable(read_searchable(read_bank_info(str(swept.root / "bank"), HERE), HERE))
    rows = balanced_order(bank.labels, bank.image_ids, 0)[:4]
    few = (bank.embeddings[rows], bank.labels[rows], bank.image_ids[rows])
    scores = by_bank(embeddings, *few)  # type: ignore[arg-type]
    scores["probe_score"] = fit_logistic(few[0], few[1], c=0.1).probe.scores(embeddings)
    del scores["nn_mean_margin_k3"]  # there are two of each class
    found = swept.figures("train_size")
    check(found, "4", images[1], scores)
    assert {detector for setting, _, detector, _ in found if setting == "4"} == scores.keys()


def scores_by(bank_at: Path, embeddings: Vectors) -> dict[str, Vectors]:
    """What a bank's neighbours, and a probe on it, say."""
    bank = searchable(read_searchable(read_bank_info(str(bank_at), HERE), HERE))
    scores = by_bank(embeddings, bank.embeddings, bank.labels, bank.image_ids)  # type: ignore[arg-type]
    fitted = fit_logistic(bank.embeddings, bank.labels, c=0.1).probe
    return scores | {"probe_score": fitted.scores(embeddings)}


@pytest.mark.parametrize("name", ["ldm", "rn50"])
def test_other_banks_are_judged_as_without_ray(
    swept: Swept,
    images: tuple[list[Image.Image], npt.NDArray[np.int64]],
    small_encoder: Encoder,
    name: str,
) -> None:
    scores = scores_by(swept.root / name, embed(small_encoder, images[0]))
    check(swept.figures("bank"), name, images[1], scores)


@pytest.mark.slow
def test_another_encoder_encodes_the_images_once_for_all_its_banks(
    swept: Swept,
    images: tuple[list[Image.Image], npt.NDArray[np.int64]],
) -> None:
    file, moved = swept.root / "weights.safetensors", swept.root / "moved.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    second = Encoder.load(EncoderSpec.parse(f"timm/test_resnet:{file}"))
    flags = [f"--input={swept.root / 'tests'}", f"--bank={swept.root / 'bank'}"]
    flags += [*(f"--ks={k}" for k in KS), "--no-figures", "--no-bias-check", "--batch-size=8"]
    for name, first in (("near", 100), ("far", 400)):
        vectors = embed(second, seeds(first, first + 10))
        make_bank(swept.root / name, second.identity, vectors=vectors)
        flags.append(f"--compare-bank={name}={swept.root / name}")
    file.rename(moved)
    flags.append(f"--compare-weights=far={moved}")
    there = replace(swept, root=swept.root / "two")
    flags += [f"--output={there.root / 'out'}", "--max-error-rate=0.2"]
    ended = run_here(EvaluateSettings, evaluate, *flags)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.count(f"encoder timm/test_resnet:{file} on cpu") == 1
    assert ended.out.count("encoders: ") == 2
    for name in ("near", "far"):
        scores = scores_by(swept.root / name, embed(second, images[0]))
        check(there.figures("bank"), name, images[1], scores)


def test_sweeps_are_written_as_tables(swept: Swept) -> None:
    out = swept.root / "out"
    assert pq.read_schema(out / "sweeps.parquet").equals(pa.schema(SWEEPS))
    with open(out / "sweeps.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == pq.read_metadata(out / "sweeps.parquet").num_rows
    document = json.loads((out / "evaluation.json").read_text())
    assert list(document["sweeps"]) == ["jpeg", "blur", "preprocess", "train_size", "bank"]
    assert document["sweeps"]["bank"]["settings"] == ["own", "ldm", "rn50"]
    named = {file["name"] for file in document["files"]}
    assert named == {path.name for path in out.iterdir()} - {"evaluation.json"}
    assert {"sweeps.parquet", "sweeps.csv"} <= named
    text = (out / "tables.md").read_text()
    assert text.index("## Robustness to JPEG compression") < text.index("## Banks side by side")
    assert swept.ended.out.count("encoders: ") == 1  # no image is encoded twice


@pytest.mark.usefixtures("nothing_starts")
def test_what_the_banks_hold_is_compared_wherever_they_lie(swept: Swept) -> None:
    again = run_here(EvaluateSettings, evaluate, *swept.flags)
    assert (again.status, again.out.count("made already")) == (0, 1)
    others = [flag.replace(f"{swept.root}/ldm", f"{swept.root}/bank") for flag in swept.flags]
    ended = run_here(EvaluateSettings, evaluate, *others)
    assert ended.status == 2
    assert "holds an evaluation with other settings: compared_banks was" in ended.err


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--compare-bank=no={root}/nowhere", "--compare-bank no={root}/nowhere: there is no bank"),
        ("--ks=9", "it has only 8 images to search, and --ks asks for 9"),
    ],
)
def test_banks_that_cannot_be_used_are_refused(swept: Swept, flag: str, said: str) -> None:
    ended = run_here(EvaluateSettings, evaluate, *swept.flags, flag.format(root=swept.root))
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert said.format(root=swept.root) in ended.err
