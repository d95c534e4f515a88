"""`ray job submit`, as docs/submitting.md says it, on a head that never heard of the project."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import make_probe
from tests.crawl.items import contents
from tests.crawl.runs import REPOSITORY
from tests.docs.names import Names
from tests.docs.pages import block
from tests.servers.processes import processes_with
from tests.servers.ray_head import RayHead, make_thin_environment, start_ray_head
from tests.servers.s3 import S3Server
from ufd_ray.demo.pictures import training_pictures
from ufd_ray.encoders import EncoderIdentity

MARK = "the file has no bytes, says the copy that was submitted"
RECIPES = "docs/submitting.md#one-recipe-a-job"
STATUS = "docs/submitting.md#what-the-exit-status-becomes"
STOP = "docs/submitting.md#to-stop-to-resume-to-roll-back"


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it wrote."""

    status: int
    out: str


@dataclass(frozen=True)
class Standing:
    """A standing head, a checkout to submit from, and a bucket.

    Attributes:
        head: the head.
        repository: the checkout.
        s3: the server.
        names: what the page's names stand for.
    """

    head: RayHead
    repository: Path
    s3: S3Server = field(repr=False)
    names: Names

    def run(self, *words: str) -> Said:
        """Run a command in the checkout."""
        done = subprocess.run(
            words,
            cwd=self.repository,
            env=self.head.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        return Said(done.returncode, done.stdout)

    def recipe(self, job: str, **replaced: str) -> list[str]:
        """The page's command for a job, with other values of some flags."""
        (words,) = (words for words in block(RECIPES).commands() if f"jobs/{job}.py" in words)
        words = self.names.words(words)
        for name, value in replaced.items():
            flag = "--" + name.replace("_", "-")
            words[words.index(flag) + 1] = value
        return words

    def ask(self, key: str, submission_id: str) -> Said:
        """Run the page's command about a job, for another one."""
        (words,) = block(key).commands()
        assert words[-1] == "score-2026-11-24"
        return self.run(*words[:-1], submission_id)

    def listed(self, run_id: str) -> list[str]:
        """The names in a run's folder."""
        client, prefix = self.s3.client(), f"{self.names.room}/scores/runs/{run_id}/"
        listed = client.list_objects_v2(Bucket=self.names.bucket, Prefix=prefix)
        return [entry["Key"].removeprefix(prefix) for entry in listed.get("Contents", [])]

    def read(self, run_id: str, name: str) -> bytes:
        """One file of a run's folder."""
        key = f"{self.names.room}/scores/runs/{run_id}/{name}"
        return bytes(self.s3.client().get_object(Bucket=self.names.bucket, Key=key)["Body"].read())

    def files(self, run_id: str) -> dict[str, bytes]:
        """All files of a run that nobody works on."""
        return {name: self.read(run_id, name) for name in self.listed(run_id)}

    def rows(self, run_id: str) -> list[dict[str, Any]]:
        """The published rows."""
        assert "_SUCCESS" in self.listed(run_id), self.listed(run_id)
        table = pq.read_table(io.BytesIO(self.read(run_id, "scores/part-00000.parquet")))
        return list(table.to_pylist())

    def put(self, name: str, data: bytes) -> None:
        """Put an image below the crawl."""
        self.s3.client().put_object(Bucket=self.names.bucket, Key=f"crawl/{name}", Body=data)


def put_small_crawl(standing: Standing, folder: Path) -> None:
    """Labelled images for a bank, and 17 images to score of which one is empty."""
    for picture in training_pictures(folder / "labelled", 20, seed=0):
        kind = "1_fake" if picture.label else "0_real"
        standing.put(f"labelled/{kind}/{picture.path.name}", picture.path.read_bytes())
    for picture in training_pictures(folder / "crawl", 5, seed=1):
        standing.put(f"2026-11-24/{picture.label}/{picture.path.name}", picture.path.read_bytes())
    for item in contents():
        if item.code in (None, "empty"):
            standing.put(f"2026-11-24/{item.name}", item.data)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository whose code can be told from what is installed here."""
    copy = tmp_path_factory.mktemp("repository")
    for name in ("ufd_ray", "jobs"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(REPOSITORY / "runtime_env.yaml", copy)
    decoding = copy / "ufd_ray" / "images" / "decoding.py"
    text = decoding.read_text()
    assert text.count("the file has no bytes") == 1
    decoding.write_text(text.replace("the file has no bytes", MARK))
    (copy / "ufd_ray" / "_version.py").write_text('__version__ = "submitted"\n')
    return copy


@pytest.fixture(scope="module")
def standing(
    s3_server: S3Server, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standing]:
    """A head whose environment has the packages, but not the project."""
    programs = make_thin_environment(tmp_path_factory.mktemp("head") / "venv")
    names = Names(s3_server.make_bucket(), "standing", "")
    # Credentials are the cluster's own, as with a role.
    with start_ray_head(s3_server.environment(), programs) as head:
        standing = Standing(head, repository, s3_server, names)
        put_small_crawl(standing, tmp_path_factory.mktemp("pictures"))
        yield standing


@pytest.fixture(scope="module")
def submitted(standing: Standing, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """The page's commands, in its order, with `runtime_env.yaml` as it is.

    All but that for a probe, which is made by hand: it takes as long as the others, and a slow test
    runs it.
    """
    said = {}
    for job in ("build_bank", "score"):
        if job == "score":
            put_probe(standing, tmp_path_factory.mktemp("models"))
        said[job] = standing.run(*standing.recipe(job))
        assert said[job].status == 0, said[job].out
    return said


def put_probe(standing: Standing, folder: Path) -> None:
    """A probe for the encoder of the bank that is there."""
    client, models = standing.s3.client(), f"{standing.names.room}/models"
    where = {"Bucket": standing.names.bucket}
    bank = client.get_object(**where, Key=f"{models}/bank/bank.json")["Body"].read()
    encoder = EncoderIdentity.from_dict(json.loads(bank)["encoder"])
    for file in make_probe(folder / "probe", encoder).iterdir():
        client.put_object(**where, Key=f"{models}/probe/{file.name}", Body=file.read_bytes())


def test_the_jobs_succeed(submitted: dict[str, Said]) -> None:
    assert "bank of 40 embeddings (20 real, 20 fake)" in submitted["build_bank"].out
    assert "published: s3://" in submitted["score"].out


@pytest.mark.usefixtures("submitted")
class TestWhatIsPublished:
    def test_every_image_has_its_row(self, standing: Standing) -> None:
        rows = standing.rows("2026-11-24")
        assert len({row["uri"] for row in rows}) == len(rows) == 17
        assert [row["uri"].rpartition("/")[2] for row in rows if row["error_code"]] == ["empty.png"]

    def test_driver_and_workers_run_the_submitted_code(self, standing: Standing) -> None:
        record = json.loads(standing.read("2026-11-24", "run.json"))
        assert record["versions"]["ufd-ray"] == "submitted"
        said = [row["error_message"] for row in standing.rows("2026-11-24") if row["error_code"]]
        assert said == [MARK]


def test_ray_says_nothing_in_the_log_of_a_job(submitted: dict[str, Said]) -> None:
    for said in submitted.values():
        assert "WARNING" not in said.out
        assert "Traceback" not in said.out


@pytest.mark.usefixtures("submitted")
class TestTheSameSubmissionTwice:
    def test_the_same_submission_id_is_refused(self, standing: Standing) -> None:
        before = standing.files("2026-11-24")
        said = standing.run(*standing.recipe("score"))
        assert said.status == 1
        assert "Job with submission_id score-2026-11-24 already exists" in said.out
        assert standing.files("2026-11-24") == before

    def test_another_one_finds_the_run_published(self, standing: Standing) -> None:
        before = standing.files("2026-11-24")
        said = standing.run(*standing.recipe("score", submission_id="score-2026-11-24-again"))
        assert said.status == 0, said.out
        assert "run 2026-11-24 has been published already" in said.out
        assert standing.files("2026-11-24") == before


def test_the_status_of_a_job_is_in_its_message(standing: Standing) -> None:
    words = standing.recipe("score", submission_id="unusable", run_id="no/name")
    said = standing.run(*words)
    assert said.status == 1
    assert "error: --run-id: " in said.out
    assert "failed with exit code 2" in standing.ask(STATUS, "unusable").out


PATIENCE_S = 600
"""Longest wait for what comes sooner or later, however busy the machine is."""
NUM_MANY = 1800
"""Seven blocks: after the first one there is work left for longer than `ray job stop` takes."""


@pytest.fixture(scope="module")
def many_images(standing: Standing, tmp_path_factory: pytest.TempPathFactory) -> None:
    for picture in training_pictures(tmp_path_factory.mktemp("many"), NUM_MANY // 2, seed=2):
        standing.put(f"many/{picture.label}-{picture.path.name}", picture.path.read_bytes())


@pytest.mark.slow
@pytest.mark.usefixtures("submitted", "many_images")
class TestCutOff:
    """Many images, cut off once some rows are there for good, and submitted again."""

    @pytest.mark.parametrize("how", ["killed", "stopped"])
    def test_it_goes_on_where_it_stopped(self, standing: Standing, how: str) -> None:
        end = {"killed": self.kill_driver, "stopped": self.stop}[how]
        flags = {"input": standing.names.uri("s3://crawl/many"), "run_id": how}
        words = [*standing.recipe("score", submission_id=how, **flags), "--lease-s", "5"]
        place = words.index("--")
        # One image at a time: that is slow enough to be cut off, and changes no row.
        said = standing.run(*words[:place], "--no-wait", *words[place:], "--batch-size", "1")
        assert said.status == 0, said.out
        deadline = time.monotonic() + PATIENCE_S
        while not any(
            name.startswith("checkpoint/") and ".pending" not in name
            for name in standing.listed(how)
        ):
            assert time.monotonic() < deadline, standing.run("ray", "job", "logs", how).out
            time.sleep(0.2)
        end(standing)
        assert "_SUCCESS" not in standing.listed(how)
        again = [*standing.recipe("score", submission_id=f"{how}-2", **flags), "--lease-s", "5"]
        said = standing.run(*again)
        assert said.status == 0, said.out
        assert f"run {how} goes on where it stopped" in said.out
        record, rows = json.loads(standing.read(how, "run.json")), standing.rows(how)
        assert 0 < record["rows_reused"] <= NUM_MANY
        assert record["num_attempts"] == 2
        assert len({row["uri"] for row in rows}) == len(rows) == NUM_MANY

    @staticmethod
    def kill_driver(standing: Standing) -> None:
        # The bucket has a name like no other; the job's shell and its driver say it.
        drivers = processes_with(f"s3://{standing.names.bucket}/crawl/many")
        assert drivers
        for pid in drivers:
            os.kill(pid, signal.SIGKILL)
        wait_for_status(standing, "killed", "failed")

    @staticmethod
    def stop(standing: Standing) -> None:
        assert standing.ask(STOP, "stopped").status == 0
        wait_for_status(standing, "stopped", "was stopped")
        record = json.loads(standing.read("stopped", "run.json"))
        assert record["outcome"] in ("failed", "running")


def wait_for_status(standing: Standing, submission_id: str, status: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (
        f"Job '{submission_id}' {status}" not in (said := standing.ask(STATUS, submission_id)).out
    ):
        assert time.monotonic() < deadline, said.out
        time.sleep(0.5)


@pytest.mark.slow
def test_a_head_with_nothing_but_ray_scores(
    s3_server: S3Server, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All else comes by `runtime_env.yaml` as it is: gigabytes from the package index."""
    import ray

    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run(["python3", "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, f"ray[default]=={ray.__version__}"], check=True, timeout=600)
    names = Names(s3_server.make_bucket(), "bare", "")
    with start_ray_head(s3_server.environment(), folder / "bin") as head:
        standing = Standing(head, repository, s3_server, names)
        put_small_crawl(standing, tmp_path_factory.mktemp("pictures"))
        for job in ("build_bank", "fit_probe", "score"):
            said = standing.run(*standing.recipe(job))
            assert said.status == 0, said.out
    assert len(standing.rows("2026-11-24")) == 17
