"""Encryption by a KMS key of ours, and buckets that are read at the reader's expense."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import make_bank, make_probe
from tests.crawl.runs import run_here
from tests.servers.rgw import KMS_KEY
from tests.servers.s3 import S3Server
from tests.unit.pipeline.evaluating.rows import PLAN, scored, table
from ufd_ray.errors import ErrorCode, StorageError
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline import score as score_job
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.publishing import publish
from ufd_ray.settings import EvaluateSettings, ScoreSettings
from ufd_ray.storage import (
    FetchLimits,
    Known,
    Lease,
    RunFolder,
    StorageOptions,
    fetch,
    list_folder,
    open_filesystem,
    parse_uri,
)
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.objects import object_exists, read_object
from ufd_ray.storage.ranged import open_object
from ufd_ray.storage.runs.publication import write_table
from ufd_ray.storage.stores import open_store

LogIn = Callable[[Mapping[str, str]], None]
KEYS = ("set/plain.png", "set/odd//name.png")
"""One that obstore fetches, and one that boto3 does."""


def encryption(server: S3Server, bucket: str) -> dict[str, tuple[str | None, str | None]]:
    """Algorithm and key of every object of a bucket."""
    client = server.client()
    heads = {
        entry["Key"]: client.head_object(Bucket=bucket, Key=entry["Key"])
        for entry in client.list_objects_v2(Bucket=bucket)["Contents"]
    }
    return {
        key: (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId"))
        for key, head in heads.items()
    }


def publish_an_evaluation(output: str, options: StorageOptions, probe: Path) -> None:
    """Of ten images that nobody looks at; with figures."""
    settings = EvaluateSettings(input=["/tests"], output=output, probe=str(probe), gallery=False)
    detectors = Detectors.read(settings.deciding, StorageOptions())
    rows = table(*(scored("crawl", number % 2, []) for number in range(10)))
    publish(Evaluation(settings, detectors, PLAN, None, options), [rows], {})


@pytest.mark.usefixtures("s3_env")
def test_all_that_jobs_write_is_encrypted_with_the_key(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    options = StorageOptions(s3_kms_key=KMS_KEY)
    run, table = RunFolder(f"s3://{bucket}", "a", options), pa.table({"n": [1, 2, 3]})
    with Lease(run.uri, options, lease_s=60):  # put if absent
        run.begin({"outcome": "running"})
        write_table(run.uri, "scores/part-0.parquet", table, options)
        files = open_filesystem(parse_uri(run.uri), options)
        pq.write_table(table, f"{parse_uri(run.uri).path}/parts/0.parquet", filesystem=files)
        # More than goes into one request: written by a multipart upload.
        large = pa.table({"bytes": [random.randbytes(2**20) for _ in range(12)]})
        pq.write_table(large, f"{parse_uri(run.uri).path}/parts/1.parquet", filesystem=files)
    publish_an_evaluation(f"s3://{bucket}/judged", options, make_probe(tmp_path / "probe"))
    found = encryption(s3_server, bucket)
    judged = {key.removeprefix("judged/") for key in found if key.startswith("judged/")}
    assert len(found) == 6 + len(judged)
    assert set(found.values()) == {("aws:kms", KMS_KEY)}
    # Whoever reads needs the right to use the key, but not its name.
    files = open_filesystem(parse_uri(run.uri), StorageOptions())
    path = parse_uri(f"{run.uri}/parts/1.parquet").path
    assert pq.read_table(path, filesystem=files).equals(large)
    assert json.loads(read_object(f"{run.uri}/run.json", StorageOptions()))
    read = partial(read_object, options=StorageOptions())
    document = json.loads(read(f"s3://{bucket}/judged/evaluation.json"))
    hashes = {file["name"]: file["sha256"] for file in document["files"]}
    assert hashes.keys() | {"evaluation.json"} == judged
    for name, found_hash in hashes.items():
        assert hashlib.sha256(read(f"s3://{bucket}/judged/{name}")).hexdigest() == found_hash
    page = read(f"s3://{bucket}/judged/evaluation.html").decode()
    drawn = [name for name in judged if name.endswith(".svg")]
    assert page.count("data:image/svg+xml;base64,") == len(drawn) >= 4


@pytest.mark.usefixtures("s3_env")
def test_without_the_key_nothing_asks_for_it(s3_server: S3Server, bucket: str) -> None:
    obstore.put(open_store("s3", bucket, StorageOptions()), "a", b"1")
    assert encryption(s3_server, bucket) == {"a": (None, None)}


@pytest.fixture
def detectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Flags that name a bank and a probe on disk; Ray is not started."""
    monkeypatch.setattr(score_job, "join_cluster", lambda: Cluster(1, 2, 0))
    bank, probe = make_bank(tmp_path / "bank"), make_probe(tmp_path / "probe")
    return [f"--bank={bank}", f"--probe={probe}", "--k=3"]


@pytest.mark.usefixtures("s3_env")
def test_a_wrong_key_is_one_clear_line_before_anything_is_scored(
    s3_server: S3Server, bucket: str, detectors: list[str]
) -> None:
    if s3_server.kind == "moto":
        pytest.skip("moto takes any name for a key")
    flags = (f"--input=s3://{bucket}/set", f"--output=s3://{bucket}/out", "--s3-kms-key=no-such")
    s3_server.client().put_object(Bucket=bucket, Key="set/a.png", Body=b"1")
    ended = run_here(ScoreSettings, score_job.score, *flags, *detectors)
    assert (ended.status, ended.err.count("\n")) == (2, 1), ended.err
    assert "S3 finds no such KMS key" in ended.err
    assert "--s3-kms-key" in ended.err
    assert not s3_server.client().list_objects_v2(Bucket=bucket, Prefix="out").get("Contents")


@pytest.fixture
def at_our_expense(s3_server: S3Server, bucket: str, log_in: LogIn) -> str:
    """Somebody else's bucket, which we may read if we pay."""
    if s3_server.kind == "moto":
        pytest.skip("moto knows no buckets that are read at the reader's expense")
    for key in (*KEYS, "ours/a.png"):
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=b"0123456789")
    s3_server.client().put_bucket_request_payment(
        Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"}
    )
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    log_in(s3_server.environment(s3_server.create_user(policy)))
    return f"s3://{bucket}"


def test_who_pays_may_do_all_that_reading_needs(at_our_expense: str) -> None:
    options = StorageOptions(s3_requester_pays=True)
    uris = [f"{at_our_expense}/{key}" for key in KEYS]
    assert sum(map(len, list_prefix(f"{at_our_expense}/set", options))) == len(KEYS)
    assert len(list_folder(f"{at_our_expense}/ours", options)) == 1
    fetched = fetch([Known(uri) for uri in uris], options, FetchLimits(num_attempts=1))
    assert [one.error for one in fetched] == [None, None]
    assert object_exists(uris[0], options)
    for uri in uris:
        file, info = open_object(uri, options)
        with file:
            assert (info.size_bytes, file.read(4)) == (10, b"0123")
    table, path = pa.table({"n": [1]}), f"{parse_uri(at_our_expense).bucket}/t.parquet"
    files = open_filesystem(parse_uri(at_our_expense), options)
    pq.write_table(table, path, filesystem=files)
    assert pq.read_table(path, filesystem=files).equals(table)


def test_who_does_not_pay_is_refused(at_our_expense: str) -> None:
    options = StorageOptions()
    with pytest.raises(StorageError, match="not allowed to do this"):
        list(list_prefix(f"{at_our_expense}/set", options))
    uris = [f"{at_our_expense}/{key}" for key in KEYS]
    fetched = fetch([Known(uri) for uri in uris], options, FetchLimits(num_attempts=1))
    codes = [one.error and one.error.code for one in fetched]
    assert codes == [ErrorCode.FORBIDDEN] * 2
