"""Weights that give no number for some images, and weights that are not those of the probe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from tests.crawl.handmade import make_probe
from tests.crawl.runs import Ended, Run, read_folder, run_here
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.images import decode, to_pixels
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings

SPEC = EncoderSpec.parse("timm/test_resnet:r160_in1k")
NUM_IMAGES = 12
LIMIT = 11
NUM_POSITIONS = 25
"""Of the last feature map: their sum overflows, before it is divided by their number."""
TINY_WEIGHT = 1e-37

pytestmark = pytest.mark.usefixtures("ray_cluster")


@dataclass(frozen=True)
class World:
    """Images, a probe and the encoder whose weights overflow for some of them.

    Attributes:
        root: `images/`, `probe/`, `weights.safetensors` and, of another draw, `others.safetensors`.
        embeddings: (12, 96) by a plain call of the encoder.
        encoder_id: of the encoder with these weights.
        other_id: of the encoder with the other weights.
    """

    root: Path
    embeddings: npt.NDArray[np.float32]
    encoder_id: str
    other_id: str

    def score(self, weights: str, run_id: str) -> Ended:
        root = self.root
        flags = (f"--input={root}/images", f"--output={root}", f"--probe={root}/probe")
        how = (f"--limit={LIMIT}", "--max-error-rate=1", "--batch-size=4")
        named = (f"--weights={root / weights}", f"--run-id={run_id}")
        return run_here(ScoreSettings, score, *flags, *how, *named)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("weights")
    (root / "images").mkdir()
    pixels = np.stack([_save(root / "images", number) for number in range(NUM_IMAGES)])
    state = _draw(1)
    plain = _load(root / "others.safetensors", state).encode(pixels)
    # The gap between the 6th and the 7th largest embedding becomes the end of float32.
    peaks = np.sort(plain.max(axis=1))
    factor = float(np.finfo(np.float32).max) / NUM_POSITIONS / float(peaks[5:7].mean())
    for name in ("layer4.0.downsample.1.weight", "layer4.0.downsample.2.weight"):
        state[name] *= factor**0.5
    encoder = _load(root / "weights.safetensors", state)
    other = _load(root / "others.safetensors", _draw(2))
    make_probe(root / "probe", encoder.identity, TINY_WEIGHT)
    ids = encoder.identity.encoder_id, other.identity.encoder_id
    return World(root, encoder.encode(pixels), *ids)


def _save(folder: Path, number: int) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(number).integers(0, 256, (160, 160, 3))
    file = folder / f"{number:02}.png"
    Image.fromarray((noise * (number + 1) / NUM_IMAGES).astype(np.uint8)).save(file)
    return to_pixels(decode(file.read_bytes(), max_pixels=10**8), mode="crop", size=160)


def _draw(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    state: dict[str, Tensor] = timm.create_model(SPEC.name).state_dict()
    # The last block's output is what this branch gives, and scales with both of its weights.
    state["layer4.0.bn2.weight"] *= 0
    state["layer4.0.bn2.bias"] *= 0
    return state


def _load(file: Path, state: Mapping[str, Tensor]) -> Encoder:
    save_file(dict(state), file)
    return Encoder.load(SPEC, weights_file=file)


@pytest.fixture(scope="module")
def run(world: World) -> Run:
    """A run with the weights that overflow."""
    ended = world.score("weights.safetensors", "overflow")
    return Run(ended, read_folder(world.root / "runs" / "overflow"))


def test_rows_without_a_finite_embedding_are_errors(world: World, run: Run) -> None:
    finite = np.isfinite(world.embeddings).all(axis=1)[:LIMIT]
    assert 3 < finite.sum() < LIMIT - 3
    rows = sorted(run.rows(), key=lambda row: str(row["uri"]))
    assert [row["error_code"] for row in rows] == [None if ok else "not_finite" for ok in finite]
    assert [row["verdict"] is None for row in rows] == [not ok for ok in finite]


def test_the_rest_is_scored(world: World, run: Run) -> None:
    rows = sorted(run.rows(), key=lambda row: str(row["uri"]))
    for row, embedding in zip(rows, world.embeddings, strict=False):
        if row["status"] == "scored":
            logit = embedding.astype(np.float64).sum() * np.float32(TINY_WEIGHT)
            assert row["probe_logit"] == pytest.approx(logit, rel=1e-5)


def test_errors_within_the_allowed_rate_are_exit_status_0(run: Run) -> None:
    assert (run.ended.status, run.ended.err) == (0, "")
    assert run.json["outcome"] == "published"
    assert run.json["counts"]["by_error_code"].keys() == {"not_finite"}


def test_the_run_tells_which_file_its_workers_loaded(world: World, run: Run) -> None:
    (file,) = run.json["weights_files"]
    data = (world.root / "weights.safetensors").read_bytes()
    assert file == {
        "source": str(world.root / "weights.safetensors"),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
    }


def test_limit_takes_the_first_of_the_listing(run: Run) -> None:
    assert f"\n{LIMIT} images listed\n" in run.ended.out
    names = sorted(Path(row["uri"]).name for row in run.rows())
    assert names == [f"{number:02}.png" for number in range(LIMIT)]


def test_embeddings_are_not_published_unless_asked_for(run: Run) -> None:
    assert not [name for name in run.files if name.startswith("embeddings/")]


@pytest.fixture(scope="module")
def failed(world: World) -> Run:
    """A run whose workers find other weights than the probe was fitted with."""
    ended = world.score("others.safetensors", "other")
    return Run(ended, read_folder(world.root / "runs" / "other"))


def test_other_weights_are_exit_status_1_with_both_identities(world: World, failed: Run) -> None:
    assert failed.ended.status == 1
    assert failed.ended.err.count("\n") == 1
    assert failed.ended.err.startswith("error: ")
    assert world.encoder_id in failed.ended.err
    assert world.other_id in failed.ended.err
    assert "they differ in weights_digest" in failed.ended.err


def test_other_weights_leave_no_scores_and_a_record(failed: Run) -> None:
    assert not [name for name in failed.files if name.startswith(("scores", "_SUCCESS"))]
    assert failed.json["outcome"] == "failed"
    assert failed.json["error"].startswith("IdentityError: ")
