"""How each peer of `peers.py` is started, and where its embeddings lie afterwards."""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from peers_material import Embeddings, Material

HERE = Path(__file__).parent.absolute()
ROOT = HERE.parent
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
}
"""Nobody is to look for anything outside, or to report there."""


@dataclass(frozen=True)
class Task:
    """One run of one peer.

    Attributes:
        python: the interpreter.
        material: what all are given.
        num_images: how many of them.
        precision: `fp32` or `bf16`, for those that can choose.
        output: folder that is not there yet.
    """

    python: Path
    material: Material
    num_images: int
    precision: str
    output: Path

    @property
    def images(self) -> Path:
        return self.material.folders[self.num_images]

    def script(self, name: str, batch_size: int) -> list[str]:
        """Its command line, as far as all of the scripts have the same flags."""
        material = self.material
        command = [str(self.python), str(HERE / name), "--images", str(self.images)]
        command += ["--output", str(self.output), "--arch", material.arch]
        return [*command, "--weights", str(material.weights), "--batch-size", str(batch_size)]


class Peer(ABC):
    """Something that makes embeddings of a folder of images.

    Attributes:
        cut: how it cuts out pixels, `crop` or `resize`.
        chooses: whether it computes in the precision that it is told, and not always in fp32.
        what: it is, in a few words.
    """

    cut = "crop"
    chooses = False
    what = ""

    @abstractmethod
    def command(self, task: Task) -> list[str]: ...

    @abstractmethod
    def embeddings(self, output: Path) -> Embeddings: ...

    def told(self, output: Path) -> dict[str, Any]:
        """What else it says of itself."""
        return {}


class Ours(Peer):
    """The job as it is, with a probe: listing, scores, publication; embeddings are kept."""

    chooses = True

    def __init__(self, cut: str) -> None:
        self.cut = cut
        self.what = f"jobs/score.py with a probe, embeddings kept, {cut}, batches of 64"

    def command(self, task: Task) -> list[str]:
        command = [sys.executable, str(ROOT / "jobs" / "score.py"), "--input", str(task.images)]
        command += ["--probe", str(task.material.probes[self.cut]), "--output", str(task.output)]
        return [*command, "--run-id", "run", "--keep-embeddings", "--precision", task.precision]

    def embeddings(self, output: Path) -> Embeddings:
        run = output / "runs" / "run"
        rows = pq.read_table(run / "scores", columns=["image_id", "uri"]).to_pydict()
        names = dict(zip(rows["image_id"], (Path(uri).name for uri in rows["uri"]), strict=True))
        kept = pq.read_table(run / "embeddings", columns=["image_id", "embedding"]).to_pydict()
        vectors = zip(kept["image_id"], kept["embedding"], strict=True)
        return {names[image]: np.asarray(vector, np.float64) for image, vector in vectors}

    def told(self, output: Path) -> dict[str, Any]:
        record = json.loads((output / "runs" / "run" / "run.json").read_text())
        if record["outcome"] != "published":
            raise SystemExit(f"our run was {record['outcome']}: {record['counts']}")
        timings, found = dict(record["timings"]), record["efficiency"]
        return timings | {"precision": record["detectors"]["precision"], "efficiency": found}


class Plain(Peer):
    what = "a DataLoader with a worker a core, Pillow, open_clip in fp32, batches of 32, .npy"

    def command(self, task: Task) -> list[str]:
        return task.script("peers_plain.py", 32)

    def embeddings(self, output: Path) -> Embeddings:
        names = (output / "names.txt").read_text().splitlines()
        return _by_name(names, np.load(output / "embeddings.npy"))


class Daft(Peer):
    chooses = True
    what = "files, Pillow, open_clip in a class UDF, batches of 64, Parquet, on its native runner"

    def command(self, task: Task) -> list[str]:
        return [*task.script("peers_daft.py", 64), "--precision", task.precision]

    def embeddings(self, output: Path) -> Embeddings:
        rows = pq.read_table(output, columns=["path", "embedding"]).to_pydict()
        return _by_name(rows["path"], rows["embedding"])


class ClipRetrieval(Peer):
    cut = "resize"
    what = "its inference over files, a worker a core, fp32, batches of 32, .npy in half precision"

    def command(self, task: Task) -> list[str]:
        return task.script("peers_clip_retrieval.py", 32)

    def embeddings(self, output: Path) -> Embeddings:
        found: Embeddings = {}
        for vectors in sorted((output / "img_emb").glob("*.npy")):
            number = vectors.stem.rpartition("_")[2]
            names = pq.read_table(output / "metadata" / f"metadata_{number}.parquet")
            found |= _by_name(names["image_path"].to_pylist(), np.load(vectors))
        return found


PEERS: dict[str, Peer] = {
    "ours": Ours("crop"),
    "ours-resized": Ours("resize"),
    "plain": Plain(),
    "daft": Daft(),
    "clip-retrieval": ClipRetrieval(),
}


def environment() -> dict[str, str]:
    """Of every process: no Ray but its own, and the package that lies beside this folder."""
    plain = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return plain | QUIET | {"PYTHONPATH": str(ROOT)}


def _by_name(paths: list[str], vectors: Any) -> Embeddings:
    names = (Path(path).name for path in paths)
    return {name: np.asarray(v, np.float64) for name, v in zip(names, vectors, strict=True)}
