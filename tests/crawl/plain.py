"""The same scores by a plain loop without Ray: what the runs are held against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from tests.crawl.items import Item
from ufd_ray.detectors import NeighborSearch, Probe, margin, verdicts, vote
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.images import decode, to_pixels

K = 5


@dataclass(frozen=True)
class Plain:
    """What one image comes to."""

    embedding: npt.NDArray[np.float32]
    numbers: dict[str, float]
    verdict: str
    voted: str


def score_plainly(items: Iterable[Item], bank: Path, probe: Path) -> dict[str, Plain]:
    """Score the items that can be, by the SHA-256 of their bytes."""
    sound = {hashlib.sha256(i.data).hexdigest(): i for i in items if i.code is None}
    encoder = Encoder.load(EncoderSpec.parse("lite0"))
    pixels = [
        to_pixels(decode(i.data, max_pixels=10**8), mode="crop", size=encoder.input_size)
        for i in sound.values()
    ]
    embeddings = encoder.encode(np.stack(pixels))
    tensors = load_file(probe / "probe.safetensors")
    linear = Probe(tensors["weight"], np.float32(tensors["bias"][0]))
    logits, scores = linear.logits(embeddings), linear.scores(embeddings)
    search, labels = _open(bank)
    near = search.search(embeddings, K)
    votes, margins = vote(near, labels), margin(near)
    found = {}
    for row, digest in enumerate(sound):
        numbers = {
            "probe_logit": logits[row],
            "probe_score": scores[row],
            "nn_vote": votes[row],
            "nn_margin": margins[row],
            "nn_real_distance": 1 - near.real_similarity[row],
            "nn_fake_distance": 1 - near.fake_similarity[row],
        }
        decided = verdicts(scores[row : row + 1])[0], verdicts(votes[row : row + 1])[0]
        found[digest] = Plain(embeddings[row], {k: float(v) for k, v in numbers.items()}, *decided)
    return found


def _open(bank: Path) -> tuple[NeighborSearch, npt.NDArray[np.int8]]:
    shards = json.loads((bank / "bank.json").read_text())["shards"]
    rows = pq.read_table([bank / shard["name"] for shard in shards]).to_pylist()
    rows = [row for row in rows if row["split"] == "train" and row["view"] == 0]
    labels = np.array([row["label"] for row in rows], np.int8)
    vectors = np.array([row["embedding"] for row in rows], np.float32)
    return NeighborSearch(vectors, labels, [row["image_id"] for row in rows]), labels
