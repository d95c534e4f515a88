"""Jobs on clusters whose GPU is elsewhere, late, or still to be started.

No machine here has a GPU: Ray is told that a node has one, which the encoder takes, and computes on
`--device cpu`. Everything but the arithmetic is as on a real one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ray.util.state import list_actors, list_tasks

from tests.crawl.handmade import make_probe
from tests.crawl.runs import REPOSITORY
from tests.faults.pictures import many_pictures
from tests.servers.ray_nodes import RayNodes, start_ray_nodes
from ufd_ray.encoders import Encoder, EncoderSpec

pytestmark = pytest.mark.slow

NUM_IMAGES = 300
ON_A_GPU = ("--device=cpu", "--gpus-per-encoder=1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and the probe of a real small encoder."""
    root = tmp_path_factory.mktemp("placement")
    (root / "images").mkdir()
    for number, data in enumerate(many_pictures(NUM_IMAGES)):
        (root / "images" / f"{number:04d}.jpg").write_bytes(data)
    make_probe(root / "probe", Encoder.load(EncoderSpec.parse("lite0")).identity, 1e-3)
    return root


class Job:
    """A `score` job as a process of its own."""

    def __init__(self, world: Path, run_id: str, nodes: RayNodes, *flags: str) -> None:
        self._run = world / "out" / "runs" / run_id
        self._log = world / f"{run_id}.log"
        command = [
            sys.executable, "jobs/score.py", f"--input={world}/images", f"--probe={world}/probe",
            f"--output={world}/out", f"--run-id={run_id}", "--no-reuse-embeddings", *flags,
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=nodes.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_until(self, happened: Callable[[], object], timeout_s: float = 180) -> None:
        deadline = time.monotonic() + timeout_s
        while not happened():
            assert self._process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.2)

    def status(self) -> int:
        """Wait for the end."""
        return self._process.wait(timeout=300)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def num_rows(self) -> int:
        assert (self._run / "_SUCCESS").exists(), self.said
        rows = pq.read_table(self._run / "scores", columns=["image_id", "status"])
        assert len(set(rows["image_id"].to_pylist())) == len(rows)
        assert set(rows["status"].to_pylist()) == {"scored"}
        return len(rows)

    def outcome(self) -> str:
        return str(json.loads((self._run / "run.json").read_text())["outcome"])


@contextmanager
def started(world: Path, run_id: str, nodes: RayNodes, *flags: str) -> Iterator[Job]:
    job = Job(world, run_id, nodes, *flags)
    try:
        yield job
    finally:
        job.end()


def nodes_of(nodes: RayNodes) -> dict[str, set[str]]:
    """On which nodes each stage ran, by a word of its name."""
    found = defaultdict(set)
    for task in list_tasks(nodes.dashboard, limit=10_000, raise_on_missing_output=False):
        if "decode_images" in task.name and task.node_id:
            found["decode"].add(task.node_id)
    for actor in list_actors(nodes.dashboard, limit=1000, raise_on_missing_output=False):
        if "EncodeImages" in actor.class_name and actor.node_id:
            found["encode"].add(actor.node_id)
    return found


def test_encoding_on_the_gpu_node_and_decoding_everywhere(world: Path) -> None:
    with start_ray_nodes(head_cpus=2) as nodes:
        nodes.add(1, 1)
        with started(world, "both", nodes, *ON_A_GPU) as job:
            assert job.status() == 0, job.said
            assert job.num_rows() == NUM_IMAGES
            assert "encoders: 1 to begin with, as many as fit (1 GPU each)" in job.said
        where = nodes_of(nodes)
    assert len(where["encode"]) == 1
    assert where["decode"] - where["encode"], "nothing was decoded on the node without a GPU"


def test_a_gpu_that_comes_late_is_waited_for(world: Path) -> None:
    with start_ray_nodes(head_cpus=2) as nodes, started(world, "late", nodes, *ON_A_GPU) as job:
        job.wait_until(lambda: "waiting for a machine with 1 GPU to spare" in job.said)
        time.sleep(3)
        assert job.outcome() == "running"
        assert not list((world / "out" / "runs" / "late").glob("parts/*"))
        nodes.add(1, 1)
        assert job.status() == 0, job.said
        assert "it is there, after" in job.said
        assert job.num_rows() == NUM_IMAGES


def test_encoders_follow_gpus_that_join_midway(world: Path, tmp_path: Path) -> None:
    # Ten blocks of 256: there is a queue, and still work when the second node has come.
    for number, image in zip(range(2560), cycle((world / "images").iterdir()), strict=False):
        (tmp_path / f"{number:04d}.jpg").hardlink_to(image)
    flags = (*ON_A_GPU, f"--input={tmp_path}")
    with start_ray_nodes(head_cpus=2) as nodes:
        nodes.add(1, 1)
        with started(world, "growing", nodes, *flags) as job:
            job.wait_until(lambda: list((world / "out/runs/growing").glob("checkpoint/*")))
            nodes.add(1, 1)
            assert job.status() == 0, job.said
            assert job.num_rows() == NUM_IMAGES + 2560
        assert len(nodes_of(nodes)["encode"]) == 2


@pytest.mark.parametrize("version", [1, 2])
def test_a_cluster_that_is_scaled_to_zero_is_made_to_start_one(world: Path, version: int) -> None:
    run_id = f"zero-{version}"
    with start_ray_nodes(head_cpus=2, autoscaler=version) as nodes:
        with started(world, f"guess-{version}", nodes) as job:
            assert job.status() == 2, job.said
            assert "say --device cuda to wait for one, or --device cpu to do without" in job.said
        with started(world, run_id, nodes, *ON_A_GPU) as job:
            assert job.status() == 0, job.said
            assert job.num_rows() == NUM_IMAGES


def test_a_gpu_that_never_comes_ends_the_attempt_and_not_the_run(world: Path) -> None:
    with start_ray_nodes(head_cpus=2) as nodes:
        with started(world, "never", nodes, *ON_A_GPU, "--wait-for-gpus-s=3") as job:
            assert job.status() == 1, job.said
            assert "no machine with 1 GPU to spare came within 3 s" in job.said
            assert job.outcome() == "failed"
        nodes.add(1, 1)
        with started(world, "never", nodes, *ON_A_GPU) as job:
            assert job.status() == 0, job.said
            assert job.num_rows() == NUM_IMAGES


def test_a_gpu_without_a_driver_is_one_clear_line(world: Path) -> None:
    with start_ray_nodes(head_cpus=2) as nodes:
        nodes.add(1, 1)
        with started(world, "driver", nodes, "--device=cuda") as job:
            assert job.status() == 1, job.said
        (line,) = [line for line in job.said.splitlines() if line.startswith("error: ")]
        assert "no GPU driver is installed" in line
