"""A crawl in a bucket behind the faulty server, its undisturbed run, and others held against it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.crawl.runs import REPOSITORY, run_here
from tests.faults.table import Verdict
from tests.servers.faulty import FaultyServer, Modes
from tests.servers.s3 import S3Server
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings

EXACT = 1e-5
NUMBERS = ("probe_logit", "probe_score", "nn_vote", "nn_margin", "nn_real_distance")
WORDS = ("image_id", "status", "error_code", "verdict", "content_hash", "duplicate_of")


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit status, and what it wrote."""

    status: int
    said: str


@dataclass
class Trial:
    """The crawl, the place for its runs, and the server between.

    Attributes:
        s3: the real server.
        proxy: what the jobs speak to.
        bucket: with `crawl/`, and `out/` for the runs.
        detectors: flags for bank and probe.
        images: URIs of the crawl's images.
        undisturbed: rows of the run that nothing was done to.
        duration_s: how long that run took.
    """

    s3: S3Server
    proxy: FaultyServer
    bucket: str
    detectors: list[str]
    images: list[str]
    undisturbed: list[dict[str, Any]] = field(default_factory=list)
    duration_s: float = 0.0

    @contextmanager
    def driver(self, run_id: str, *flags: str) -> Iterator[Driver]:
        """A job with a Ray of its own; all of it has ended when the block has."""
        driver = Driver(self._start(run_id, *flags))
        try:
            yield driver
        finally:
            driver.kill()

    def run(self, run_id: str, *flags: str) -> Ended:
        """A job from its start to its end, in this process and on the tests' own Ray: quicker."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.s3.environment().items():
                patch.setenv(name, value)
            ended = run_here(ScoreSettings, score, *self._flags(run_id, *flags))
        return Ended(ended.status, ended.out + ended.err)

    def rows(self, run_id: str) -> list[dict[str, Any]]:
        """The published rows, read past the faulty server."""
        assert "_SUCCESS" in self.names(run_id), self.names(run_id)
        scores = [n for n in self.names(run_id) if n.startswith("scores/")]
        return [
            row
            for n in scores
            for row in pq.read_table(io.BytesIO(self._read(run_id, n))).to_pylist()
        ]

    def document(self, run_id: str) -> Any:
        """`run.json`."""
        return json.loads(self._read(run_id, "run.json"))

    def names(self, run_id: str) -> list[str]:
        """What lies in the run's folder."""
        prefix = f"out/runs/{run_id}/"
        pages = self.s3.client().get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=prefix)
        return [e["Key"].removeprefix(prefix) for p in found for e in p.get("Contents", [])]

    def wait_for_rows(self, run_id: str, driver: Driver) -> None:
        """Until some rows lie in the run's parts for good."""
        while not any(
            n.startswith("checkpoint/") and ".pending" not in n for n in self.names(run_id)
        ):
            driver.must_live()
            time.sleep(0.2)

    @contextmanager
    def never_done(self) -> Iterator[None]:
        """One image's bytes do not come meanwhile: what is to stop a run halfway can't be late."""
        self.proxy.modes = Modes(stall=1.0, only=self.images[-1].removeprefix("s3://"))
        try:
            yield
        finally:
            self.proxy.modes = Modes()

    def judge(self, run_id: str) -> Verdict:
        """Hold a run's rows against the undisturbed ones; every value has to agree."""
        ours = set(self.images)
        rows = [row for row in self.rows(run_id) if row["uri"] in ours]
        counts = Counter(row["uri"] for row in rows)
        assert not [
            n for n in self.names(run_id) if self.s3.secret_key in str(self._read(run_id, n))
        ]
        expected = {row["uri"]: row for row in self.undisturbed}
        for row in rows:
            for name in WORDS:
                assert row[name] == expected[row["uri"]][name], (row["uri"], name)
            for name in NUMBERS:
                assert abs(row[name] - expected[row["uri"]][name]) <= EXACT, (row["uri"], name)
        return Verdict(
            num_lost=len(ours - counts.keys()),
            num_double=sum(counts.values()) - len(counts),
            extra_percent=100 * (self.num_reads() / len(self.images) - 1),
        )

    def num_reads(self) -> int:
        """GETs of the crawl's images since the counts were forgotten."""
        paths = ["/" + uri.removeprefix("s3://") for uri in self.images]
        return sum(self.proxy.gets[path] for path in paths)

    def environment(self) -> dict[str, str]:
        """Of a job in a process of its own."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "AWS_"))}
        return inherited | self.s3.environment()

    def _flags(self, run_id: str, *flags: str) -> list[str]:
        given = any(flag.startswith(("--input", "--from-run", "--retry-failed")) for flag in flags)
        inputs = [] if given else ["--input", f"s3://{self.bucket}/crawl"]
        place = ["--output", f"s3://{self.bucket}/out", "--run-id", run_id]
        server = ["--s3-endpoint", self.proxy.url]
        fixed = ["--precision=fp32", "--no-reuse-embeddings", "--no-gallery"]  # reads are counted
        return [*inputs, *place, *server, *self.detectors, *fixed, *flags]

    def _read(self, run_id: str, name: str) -> bytes:
        key = f"out/runs/{run_id}/{name}"
        return bytes(self.s3.client().get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def _start(self, run_id: str, *flags: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "jobs/score.py", *self._flags(run_id, *flags)],
            cwd=REPOSITORY,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


class Driver:
    """A job's process, with the Ray that it has started.

    Attributes:
        said: what it wrote; once it has ended.
        status: its exit status; once it has ended.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.said = ""
        self.status = 0

    def end(self, *, within_s: float = 240) -> Driver:
        """Wait for its end."""
        self.said, _ = self._process.communicate(timeout=within_s)
        self.status = self._process.returncode
        return self

    def kill(self) -> None:
        """End it and its Ray at once, as a machine ends that is taken away."""
        for pid in (self._process.pid, *_below(self._process.pid)):
            _signal(pid, signal.SIGKILL)
        if not self.said:
            self.said, _ = self._process.communicate(timeout=240)

    def pause(self) -> None:
        """Stop the driver alone, as a machine does that is suspended."""
        _signal(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        _signal(self._process.pid, signal.SIGCONT)

    def kill_worker(self, stage: str) -> None:
        """SIGKILL one worker of a stage, as soon as there is one."""
        while not (found := [pid for pid in _below(self._process.pid) if _works_on(pid, stage)]):
            self.must_live()
            time.sleep(0.05)
        _signal(found[0], signal.SIGKILL)
        while _works_on(found[0], stage):
            time.sleep(0.02)

    def must_live(self) -> None:
        """Fail if it has ended."""
        if self._process.poll() is not None:
            raise AssertionError(f"the job has ended: {self.end().said}")


def _below(pid: int) -> list[int]:
    """Processes that descend from this one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # ended meanwhile
            children.setdefault(parent, []).append(int(entry.name))
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found


def _works_on(pid: int, stage: str) -> bool:
    """Whether it is a worker of a stage, by the title that Ray gives it.

    Until a child of the driver becomes another program, its words are those of the driver: a stage
    may be among them.
    """
    try:
        title = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return False
    return title.startswith("ray::") and stage in title


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
