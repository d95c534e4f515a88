"""`ray job submit`: the same command on a standing cluster that has never heard of the project."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.crawl.handmade import make_probe
from tests.crawl.items import contents
from tests.crawl.runs import REPOSITORY
from tests.servers.ray_head import start_ray_head
from tests.servers.s3 import S3Server
from ufd_ray.encoders import Encoder, EncoderSpec

MARK = "the file has no bytes, says the copy that was submitted"


@dataclass(frozen=True)
class Submitted:
    """What `ray job submit` said, and what lies below `runs/nightly/`."""

    status: int
    out: str
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository whose code can be told from what is installed here."""
    copy = tmp_path_factory.mktemp("repository")
    for name in ("ufd_ray", "jobs"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("*.pyc"))
    decoding = copy / "ufd_ray" / "images" / "decoding.py"
    text = decoding.read_text()
    assert text.count("the file has no bytes") == 1
    decoding.write_text(text.replace("the file has no bytes", MARK))
    (copy / "ufd_ray" / "_version.py").write_text('__version__ = "submitted"\n')
    return copy


@pytest.fixture(scope="module")
def submitted(
    s3_server: S3Server, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Submitted:
    client, bucket = s3_server.client(), s3_server.make_bucket()
    for item in contents():
        client.put_object(Bucket=bucket, Key=item.name, Body=item.data)
    encoder = Encoder.load(EncoderSpec.parse("timm/test_resnet:random:1"))
    probe = make_probe(tmp_path_factory.mktemp("probe"), encoder.identity)
    for file in probe.iterdir():
        client.put_object(Bucket=bucket, Key=f"probe/{file.name}", Body=file.read_bytes())
    command = [
        "python", "jobs/score.py", "--input", f"s3://{bucket}/odd", "--probe",
        f"s3://{bucket}/probe", "--output", f"s3://{bucket}/out", "--run-id", "nightly",
        "--max-error-rate", "1",
    ]  # fmt: skip
    runtime_env = yaml.safe_load((REPOSITORY / "runtime_env.yaml").read_text())
    # Without `pip`: it would clone this environment, gigabytes of it, to install what is there.
    del runtime_env["pip"]
    # Credentials are the cluster's own, as with a role.
    with start_ray_head(s3_server.environment()) as head:
        done = subprocess.run(
            [
                f"{Path(sys.executable).parent}/ray", "job", "submit", "--address", head.address,
                "--working-dir", str(repository), "--runtime-env-json", json.dumps(runtime_env),
                "--", *command,
            ],
            cwd=repository,
            env=head.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )  # fmt: skip
    prefix = "out/runs/nightly/"
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    files = {
        entry["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=entry["Key"])[
            "Body"
        ].read()
        for entry in listed
    }
    return Submitted(done.returncode, done.stdout, files)


@pytest.fixture(scope="module")
def rows(submitted: Submitted) -> list[dict[str, Any]]:
    assert "_SUCCESS" in submitted.files, submitted.out
    table = pq.read_table(io.BytesIO(submitted.files["scores/part-00000.parquet"]))
    return list(table.to_pylist())


def test_it_succeeds(submitted: Submitted) -> None:
    assert submitted.status == 0, submitted.out
    assert "published: s3://" in submitted.out


def test_every_image_has_its_row(rows: list[dict[str, Any]]) -> None:
    codes = {row["uri"].rpartition("/")[2]: row["error_code"] for row in rows}
    assert codes == {item.name.rpartition("/")[2]: item.code for item in contents()}


def test_driver_and_workers_run_the_submitted_code(
    submitted: Submitted, rows: list[dict[str, Any]]
) -> None:
    assert json.loads(submitted.files["run.json"])["versions"]["ufd-ray"] == "submitted"
    messages = [row["error_message"] for row in rows if row["error_code"] == "empty"]
    assert messages == [MARK]


def test_ray_says_nothing_in_the_log_of_the_job(submitted: Submitted) -> None:
    assert "WARNING" not in submitted.out
    assert "Traceback" not in submitted.out
