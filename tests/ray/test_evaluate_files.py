"""An evaluation of images that are made alike first, by a bank in half precision, through Ray."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.crawl.handmade import HERE, make_bank, make_probe
from tests.crawl.runs import Ended, run_here
from tests.ray.smooth_images import Vectors, embed, smooth
from tests.unit.images.samples import encoded
from ufd_ray.detectors import NeighborSearch, Probe, margin, searchable
from ufd_ray.encoders import Encoder
from ufd_ray.evaluation import average_precision
from ufd_ray.images import Form, decode
from ufd_ray.pipeline.evaluate import evaluate
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import read_bank_info, read_probe, read_searchable

HALF = "float16"
NUM, SMALL = 20, 2
"""Images of a class; further fakes, too small to be aligned."""
QUALITY, SWEPT = 60, 20


@dataclass(frozen=True)
class Aligned:
    """An evaluation of real images in JPEG and fakes in PNG, made into JPEGs of one size.

    Attributes:
        root: of images, bank, probe and output.
        ended: how it ended.
        uris: of the images that could be aligned.
        images: what was made of these.
    """

    root: Path
    ended: Ended
    uris: Sequence[str]
    images: Sequence[Image.Image]

    @property
    def labels(self) -> Any:
        return np.array(["1_fake" in uri for uri in self.uris], np.int64)

    @property
    def json(self) -> Any:
        return json.loads((self.root / "out" / "evaluation.json").read_text())

    def rows(self, name: str) -> list[dict[str, Any]]:
        return list(pq.read_table(self.root / "out" / name).to_pylist())


@pytest.fixture(scope="module")
def aligned(
    ray_cluster: dict[str, Any], small_encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> Aligned:
    root = tmp_path_factory.mktemp("aligned")
    files = []
    for name, kind in (("0_real", "jpg"), ("1_fake", "png")):
        folder = root / "set" / name
        folder.mkdir(parents=True)
        for number in range(NUM):
            files.append(folder / f"{number}.{kind}")
            smooth(1000 + 100 * (kind == "png") + number).save(files[-1])
    for number in range(SMALL):
        smooth(number).resize((99, 200)).save(root / f"set/1_fake/small{number}.png")
    identity = small_encoder.identity
    vectors = embed(small_encoder, [smooth(seed) for seed in range(100, 112)])
    bank = make_bank(root / "bank", identity, vectors=vectors, dtype=HALF)
    probe = make_probe(root / "probe", identity, weight=0.1, dtype=HALF)
    flags = (f"--input={root}/set", f"--bank={bank}", f"--probe={probe}", f"--output={root}/out")
    flags += ("--align", "--align-size=160", f"--align-quality={QUALITY}", "--ks=1")
    flags += ("--sweep-jpeg", f"--sweep-qualities={SWEPT}", "--batch-size=8", "--no-gallery")
    ended = run_here(EvaluateSettings, evaluate, *flags, "--max-error-rate=0.1")
    return Aligned(root, ended, [str(file) for file in files], [align(file) for file in files])


def align(file: Path) -> Image.Image:
    """What is made of one of these files, by Pillow alone."""
    with Image.open(file) as image:
        crop = image.convert("RGB").crop((5, 10, 165, 170))
    data = encoded(crop, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return decode(data, max_pixels=10**6)


def scores(aligned: Aligned, embeddings: Vectors) -> dict[str, Vectors]:
    """What the detectors say of embeddings, which they see as the bank keeps them."""
    half = embeddings.astype(HALF)
    bank = searchable(read_searchable(read_bank_info(f"{aligned.root}/bank", HERE), HERE))
    assert bank.embeddings.dtype == HALF
    search = NeighborSearch(bank.embeddings, bank.labels, bank.image_ids)
    probe = read_probe(f"{aligned.root}/probe", HERE)
    return {
        "probe_score": Probe(probe.weight, np.float32(probe.bias)).scores(half),
        "nn_margin": margin(search.search(half, 1)),
    }


def test_aligned_files_do_not_tell_by_their_format(aligned: Aligned) -> None:
    assert (aligned.ended.status, aligned.ended.err) == (0, "")
    document = aligned.json
    assert document["alignment"] == {"size": 160, "quality": QUALITY}
    assert document["counts"]["by_error_code"] == {"too_small": SMALL}
    found = document["format_bias"]["sets"]["set"]
    assert (found["as_they_came"]["found"], found["aligned"]["found"]) == (True, False)
    apart = {one["trait"] for one in found["aligned"]["telling"] if one["apart"]}
    assert apart <= {"bytes", "bytes_per_pixel"}
    said = "set set aligned: the size of the file, all that differs, tells little"
    assert said in aligned.ended.out


def test_detectors_see_what_files_were_made_into_as_the_bank_keeps_it(
    aligned: Aligned, small_encoder: Encoder
) -> None:
    assert aligned.json["dtype"] == HALF
    rows = {row["uri"]: row for row in aligned.rows("scores.parquet")}
    assert rows.keys() == set(aligned.uris)
    for name, values in scores(aligned, embed(small_encoder, aligned.images)).items():
        # A number that is rounded to the other side of a half is off by a thousandth of itself.
        assert [rows[uri][name] for uri in aligned.uris] == pytest.approx(values, abs=1e-4)


def test_what_is_swept_is_made_of_what_was_aligned(
    aligned: Aligned, small_encoder: Encoder
) -> None:
    found = {
        row["detector"]: row["value"]
        for row in aligned.rows("sweeps.parquet")
        if (row["setting"], row["set"]) == (str(SWEPT), "set")
        and row["metric"] == "average_precision"
    }
    embeddings = embed(small_encoder, aligned.images, Form(quality=SWEPT))
    for name, values in scores(aligned, embeddings).items():
        assert found[name] == pytest.approx(average_precision(aligned.labels, values)), name


def test_figures_are_of_what_was_aligned(aligned: Aligned) -> None:
    found = aligned.json["figures"]
    assert found["left_out"] == {}
    assert found["spectra"]["images"] == {"set": {"real": NUM, "fake": NUM}}
    # Those that were too small for an alignment have failed before.
    assert (found["spectra"]["too_small"], found["spectra"]["failed"]) == (0, SMALL)
    names = {file["name"] for file in aligned.json["files"]}
    assert {"figures/spectra-of-mean.png", "figures/sweep-jpeg.svg"} <= names
