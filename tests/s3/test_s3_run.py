"""The same crawl on S3, as a process that was given nothing but a profile's name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.crawl.checks import EveryImageHasItsRow
from tests.crawl.fixtures import Crawled, Trained
from tests.crawl.items import Item, contents, moving, names_anywhere, names_on_s3
from tests.crawl.layout import lay_out
from tests.crawl.places import Bucket
from tests.crawl.plain import K
from tests.crawl.runs import Run, run_script
from tests.s3.profiles import write_profile
from tests.servers.s3 import S3Server

EXACT = 1e-5
MARKERS = ("crawl/odd/folder/", "crawl/odd/names/sub/")


def upload(client: Any, bucket: str, folder: Path, prefix: str) -> str:
    """Put a folder's files below a prefix."""
    for file in folder.rglob("*"):
        if file.is_file():
            key = f"{prefix}/{file.relative_to(folder)}"
            client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    return f"s3://{bucket}/{prefix}"


def read_prefix(client: Any, bucket: str, prefix: str) -> dict[str, bytes]:
    """Every object below a prefix."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {
        key.removeprefix(prefix): client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys
    }


@pytest.fixture(scope="module")
def s3_run(
    s3_server: S3Server,
    trained: Trained,
    crawl_pictures: list[Item],
    tmp_path_factory: pytest.TempPathFactory,
) -> Crawled:
    """The crawl, the bank, the probe and the run in one bucket."""
    home, client = tmp_path_factory.mktemp("home"), s3_server.client()
    bucket = s3_server.make_bucket()
    odd = [*contents(), *names_anywhere(), *names_on_s3()]
    if s3_server.kind == "moto":  # which answers 404 to every key with a newline
        odd = [item for item in odd if "\n" not in item.name]
    crawl = lay_out(Bucket(client, bucket, "crawl"), crawl_pictures, list(moving()), odd)
    for marker in MARKERS:
        client.put_object(Bucket=bucket, Key=marker, Body=b"")
    settings = {
        "input": crawl.inputs,
        "bank": upload(client, bucket, trained.bank, "bank"),
        "probe": upload(client, bucket, trained.probe, "probe"),
        "k": K,
        "output": f"s3://{bucket}/out",
        "run-id": "replaced by a flag",
        "keep-embeddings": True,
        "max-error-rate": 1,
        "rows-per-file": 40,
        "progress-s": 0.2,
    }
    config = home / "job.yaml"
    config.write_text(yaml.safe_dump(settings))
    environment = write_profile(home, s3_server) | {"HOME": str(home)}
    ended = run_script("score", f"--config={config}", "--run-id=whole", env=environment)
    return Crawled(crawl, Run(ended, read_prefix(client, bucket, "out/runs/whole/")))


class TestOnS3(EveryImageHasItsRow):
    outcome = "published"

    @pytest.fixture
    def crawled(self, s3_run: Crawled) -> Crawled:
        return s3_run

    def test_errors_within_the_allowed_rate_are_exit_status_0(self, run: Run) -> None:
        assert run.ended.status == 0, run.ended.err

    def test_the_terminal_is_ours_alone(self, run: Run) -> None:
        assert run.ended.err == ""
        ours = (
            "fake where ", "out of the bank ", "encoder timm/", "encoders: ", "search: ",
            "report.html: ", "run whole → s3://",
            "manifest columns", "published: s3://",
            *(f"{number:,} " for number in range(1000)),
        )  # fmt: skip
        assert [line for line in run.ended.out.splitlines() if not line.startswith(ours)] == []

    def test_progress_is_told_line_by_line(self, run: Run) -> None:
        total = run.json["counts"]["images"]
        line = rf"\d+ of {total} images · \d+ errors · [\d.]+ images/s · (starting.*|.* left)"
        assert re.search(f"^{line}$", run.ended.out, re.MULTILINE)

    def test_no_secret_is_told_or_kept(self, run: Run, s3_server: S3Server) -> None:
        secret = s3_server.secret_key
        assert secret not in run.ended.out + run.ended.err
        assert not [name for name, data in run.files.items() if secret.encode() in data]

    def test_scores_are_those_of_the_run_on_disk(self, run: Run, disk_run: Crawled) -> None:
        here, there = _by_name(run), _by_name(disk_run.run)
        common = here.keys() & there.keys()
        assert len(common) > 60
        for name in common:
            for column in ("status", "error_code", "verdict", "content_hash", "format", "width"):
                assert here[name][column] == there[name][column], (name, column)
            for column in ("probe_logit", "probe_score", "nn_vote", "nn_margin"):
                expected = there[name][column]
                if expected is not None:
                    expected = pytest.approx(expected, rel=EXACT, abs=EXACT)
                assert here[name][column] == expected, (name, column)


def _by_name(run: Run) -> dict[str, dict[str, Any]]:
    return {row["uri"].rpartition("/crawl/")[2]: row for row in run.rows()}
