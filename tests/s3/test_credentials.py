"""Credentials that are replaced while a process works, and credentials that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import make_bank, make_probe
from tests.crawl.runs import Ended, run_here
from tests.s3.profiles import KeyService, write_profile
from tests.s3.waiting import until
from tests.servers.s3 import S3Server
from ufd_ray.errors import ErrorCode, StorageError
from ufd_ray.pipeline import score as score_job
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    Fetched,
    FetchLimits,
    Known,
    StorageOptions,
    fetch,
    open_filesystem,
    parse_uri,
)
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.objects import read_object

LogIn = Callable[[Mapping[str, str]], None]
KEYS = ("set/plain.png", "set/odd//name.png")
"""One that obstore fetches, and one that boto3 does."""


@pytest.fixture
def filled(s3_server: S3Server, bucket: str) -> str:
    """A bucket with two objects."""
    for key in KEYS:
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def fetch_all(bucket: str, options: StorageOptions) -> list[Fetched]:
    return fetch([Known(f"s3://{bucket}/{key}") for key in KEYS], options, FetchLimits())


def write_and_read_parquet(bucket: str, files: Any) -> bool:
    path, table = f"{bucket}/table.parquet", pa.table({"n": [1, 2, 3]})
    try:
        pq.write_table(table, path, filesystem=files)
        return bool(pq.read_table(path, filesystem=files).equals(table))
    except OSError:
        return False


@pytest.mark.parametrize("ttl_s", [1.0, 300.0])
def test_a_key_that_is_replaced_and_revoked_ends_nothing(
    s3_server: S3Server,
    filled: str,
    tmp_path: Path,
    log_in: LogIn,
    ttl_s: float,
) -> None:
    first, second = s3_server.create_access_key(), s3_server.key
    service = KeyService.start(tmp_path, s3_server, first)
    log_in(service.environment)
    options = StorageOptions(credentials_ttl_s=ttl_s)
    files = open_filesystem(parse_uri(f"s3://{filled}"), options)

    def all_works() -> bool:
        return (
            all(fetched.error is None for fetched in fetch_all(filled, options))
            and write_and_read_parquet(filled, files)
            and sum(map(len, list_prefix(f"s3://{filled}/set", options))) == len(KEYS)
            and read_object(f"s3://{filled}/set/plain.png", options) == b"set/plain.png"
        )

    assert all_works()
    service.hand_out(second)
    asked = service.num_calls
    # Nobody holds on to the first pair longer than `credentials_ttl_s`.
    s3_server.remove_access_key(first)
    assert until(all_works)
    assert service.num_calls > asked
    service.hand_out(first)

    def all_refused() -> bool:
        codes = [f.error and f.error.code for f in fetch_all(filled, options)]
        return codes == [ErrorCode.FORBIDDEN] * len(KEYS)

    assert until(all_refused)


def test_without_asking_again_a_revoked_key_is_held(
    s3_server: S3Server, filled: str, tmp_path: Path, log_in: LogIn
) -> None:
    """What the test above would find if the credentials were kept."""
    first, second = s3_server.create_access_key(), s3_server.key
    service = KeyService.start(tmp_path, s3_server, first)
    log_in(service.environment)
    options = StorageOptions(credentials_ttl_s=3600)
    assert read_object(f"s3://{filled}/set/plain.png", options) == b"set/plain.png"
    service.hand_out(second)
    s3_server.remove_access_key(first)
    with pytest.raises(StorageError, match="InvalidAccessKeyId"):
        read_object(f"s3://{filled}/set/plain.png", options)


@pytest.fixture
def detectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Flags that name a bank and a probe on disk; Ray is not started."""
    monkeypatch.setattr(score_job, "join_cluster", lambda: Cluster((2,)))
    bank, probe = make_bank(tmp_path / "bank"), make_probe(tmp_path / "probe")
    return [f"--bank={bank}", f"--probe={probe}", "--k=3"]


def refused(ended: Ended, *secrets: str) -> str:
    """The one line of a refusal, without any of the secrets."""
    assert ended.status in (1, 2)
    assert (ended.err.count("\n"), ended.err.startswith("error: ")) == (1, True), ended.err
    assert not [secret for secret in secrets if secret in ended.out + ended.err]
    return ended.err


def test_a_wrong_secret_is_one_clear_line(
    s3_server: S3Server, filled: str, tmp_path: Path, detectors: list[str], log_in: LogIn
) -> None:
    wrong = "wrong-but-secret-all-the-same"
    log_in(s3_server.environment() | {"AWS_SECRET_ACCESS_KEY": wrong})
    flags = (f"--input=s3://{filled}/set", f"--output={tmp_path / 'out'}")
    said = refused(run_here(ScoreSettings, score_job.score, *flags, *detectors), wrong)
    assert "the secret key is wrong (SignatureDoesNotMatch)" in said
    assert not list((tmp_path / "out").rglob("*/*"))


def test_a_wrong_secret_for_the_output_is_one_clear_line(
    s3_server: S3Server, filled: str, tmp_path: Path, detectors: list[str], log_in: LogIn
) -> None:
    wrong = "wrong-but-secret-all-the-same"
    log_in(s3_server.environment() | {"AWS_SECRET_ACCESS_KEY": wrong})
    flags = (f"--input={tmp_path}", f"--output=s3://{filled}/out")
    ended = run_here(ScoreSettings, score_job.score, *flags, *detectors)
    assert "the secret key is wrong (SignatureDoesNotMatch)" in refused(ended, wrong)
    assert ended.status == 2
    assert not s3_server.client().list_objects_v2(Bucket=filled, Prefix="out").get("Contents")


def test_no_credentials_are_one_clear_line(
    s3_server: S3Server, filled: str, tmp_path: Path, detectors: list[str]
) -> None:
    flags = (f"--input=s3://{filled}/set", f"--output={tmp_path / 'out'}")
    endpoint = f"--s3-endpoint={s3_server.endpoint}"
    said = refused(run_here(ScoreSettings, score_job.score, *flags, endpoint, *detectors))
    assert "set AWS_PROFILE or AWS_ACCESS_KEY_ID" in said


def test_a_profile_that_is_not_there_is_one_clear_line(
    s3_server: S3Server, filled: str, tmp_path: Path, detectors: list[str], log_in: LogIn
) -> None:
    log_in(write_profile(tmp_path, s3_server) | {"AWS_PROFILE": "nobody"})
    flags = (f"--input=s3://{filled}/set", f"--output={tmp_path / 'out'}")
    said = refused(run_here(ScoreSettings, score_job.score, *flags, *detectors))
    assert "profile (nobody) could not be found" in said


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--input=s3://no-such-bucket-here/set", "no-such-bucket-here"),
        ("--input=s3://{bucket}/se", "--input s3://{bucket}/se: nothing there"),
        ("--output=s3://no-such-bucket-here/x", "there is no such bucket"),
        ("--bank=s3://{bucket}/set", "--bank s3://{bucket}/set: there is no bank.json"),
    ],
)
def test_places_that_are_not_there_are_unusable_settings(
    s3_server: S3Server,
    filled: str,
    detectors: list[str],
    log_in: LogIn,
    flag: str,
    words: str,
) -> None:
    log_in(s3_server.environment())
    flags = [f"--input=s3://{filled}/set", f"--output=s3://{filled}/out", *detectors]
    given, _, value = flag.format(bucket=filled).partition("=")
    flags = [f for f in flags if not f.startswith(given + "=")] + [f"{given}={value}"]
    ended = run_here(ScoreSettings, score_job.score, *flags)
    assert words.format(bucket=filled) in refused(ended, s3_server.secret_key)
    assert ended.status == 2
    assert not s3_server.client().list_objects_v2(Bucket=filled, Prefix="out").get("Contents")
