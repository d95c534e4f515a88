"""What the roles' policies allow and refuse, on a server that holds its users to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cluster.policies import BUCKETS, load
from tests.servers.s3 import S3Server
from ufd_ray.errors import ErrorCode, SettingsError, StorageError
from ufd_ray.storage import (
    FetchLimits,
    Known,
    Lease,
    RunFolder,
    StorageOptions,
    check_writable,
    fetch,
    list_folder,
    object_exists,
    open_filesystem,
    parse_uri,
)
from ufd_ray.storage.folders import delete_folder
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.objects import read_object, write_object
from ufd_ray.storage.runs.publication import write_table

OPTIONS = StorageOptions()
ODD = "set/odd//name.png"
"""A key that only boto3 can name."""

LogInAs = Callable[..., dict[str, str]]


@pytest.fixture
def log_in_as(s3_server: S3Server, log_in: Callable[[Mapping[str, str]], None]) -> LogInAs:
    """Become a new user with the policies of some roles; the answer says what the buckets are."""

    def take(*roles: str) -> dict[str, str]:
        buckets = {name: s3_server.make_bucket() for name in BUCKETS}
        admin = s3_server.client()
        for name, key in (("crawl", "set/a.png"), ("crawl", ODD), ("models", "bank/bank.json")):
            admin.put_object(Bucket=buckets[name], Key=key, Body=b"1")
        admin.put_object(Bucket=buckets["scores"], Key="runs/old/run.json", Body=b"1")
        found = [s for role in roles for s in load(role)["Statement"]]
        statements = [_for_server(s, buckets) for s in found if _speaks_of_s3(s)]
        policy = {"Version": "2012-10-17", "Statement": statements}
        if s3_server.kind == "moto":  # looks at no condition, and would deny everything
            policy["Statement"] = [s for s in statements if "Condition" not in s]
        log_in(s3_server.environment(s3_server.create_user(policy)))
        return {name: f"s3://{bucket}" for name, bucket in buckets.items()}

    return take


def _speaks_of_s3(statement: dict[str, Any]) -> bool:
    return all(action.startswith("s3:") for action in statement["Action"])


def _for_server(statement: dict[str, Any], buckets: dict[str, str]) -> dict[str, Any]:
    resources = []
    for resource in statement["Resource"]:
        name, slash, rest = resource.removeprefix("arn:aws:s3:::").partition("/")
        resources.append(f"arn:aws:s3:::{buckets[name]}{slash}{rest}")
        if "s3:DeleteObject" in statement["Action"]:
            # To delete many at once S3 wants the right on each key, these servers on their bucket.
            resources.append(f"arn:aws:s3:::{buckets[name]}")
    return statement | {"Resource": resources, "Sid": f"{statement['Sid']}{len(resources)}"}


def may_list(uri: str) -> bool:
    try:
        return bool(list(list_prefix(uri, OPTIONS)))
    except StorageError as error:
        if "AccessDenied" not in str(error):
            raise
        return False


def may_read(uri: str) -> bool:
    (fetched,) = fetch([Known(uri)], OPTIONS, FetchLimits(num_attempts=1))
    assert fetched.error is None or fetched.error.code is ErrorCode.FORBIDDEN
    return fetched.error is None


def may_write(folder: str) -> bool:
    try:
        check_writable(folder, OPTIONS)
    except SettingsError as error:
        if "AccessDenied" not in str(error):
            raise
        return False
    return True


def test_whoever_scores_reads_images_and_models_and_writes_scores_alone(
    log_in_as: LogInAs,
) -> None:
    place = log_in_as("reader", "writer")
    assert may_list(f"{place['crawl']}/set")
    assert may_read(f"{place['crawl']}/set/a.png")
    assert may_read(f"{place['crawl']}/{ODD}")
    assert read_object(f"{place['models']}/bank/bank.json", OPTIONS) == b"1"
    assert may_write(place["scores"])
    assert not may_write(place["crawl"])
    assert not may_write(place["models"])


def test_what_is_not_there_is_known_not_to_be(log_in_as: LogInAs) -> None:
    """A right to list only below a prefix would make `forbidden` of every `not there`."""
    place = log_in_as("reader", "writer")
    assert not object_exists(f"{place['scores']}/runs/new/_SUCCESS", OPTIONS)
    (gone,) = fetch([Known(f"{place['crawl']}/set/gone.png")], OPTIONS, FetchLimits())
    assert gone.error is not None
    assert gone.error.code is ErrorCode.NOT_FOUND


def test_whoever_scores_can_do_all_that_a_run_does(log_in_as: LogInAs) -> None:
    root = log_in_as("reader", "writer")["scores"]
    run = RunFolder(root, "new", OPTIONS)
    with Lease(run.uri, OPTIONS, lease_s=60) as lease:
        run.begin({"outcome": "running"})
        files = open_filesystem(parse_uri(root), OPTIONS)
        in_parts = pa.table({"bytes": [random.randbytes(2**20) for _ in range(12)]})
        pq.write_table(in_parts, f"{parse_uri(run.parts).path}/large", filesystem=files)
        write_table(run.uri, "scores/part-0.parquet", pa.table({"n": [1, 2]}), OPTIONS)
        run.clear_published()
        write_table(run.uri, "scores/part-0.parquet", pa.table({"n": [1, 2]}), OPTIONS)
        run.finish({"outcome": "published"}, "<html>")
        lease.end()
        run.seal()
        lease.delete()
    with pytest.raises(FileExistsError):
        write_object(f"{run.uri}/_SUCCESS", b"", OPTIONS, if_absent=True)
    names = {uri.removeprefix(f"{run.uri}/") for uri in list_folder(run.uri, OPTIONS)}
    assert names == {"_SUCCESS", "report.html", "run.json", "scores/part-0.parquet"}
    delete_folder(run.uri, OPTIONS)
    assert not list_folder(run.uri, OPTIONS)


def test_a_reader_changes_nothing_and_sees_no_scores(log_in_as: LogInAs) -> None:
    place = log_in_as("reader")
    assert may_read(f"{place['crawl']}/set/a.png")
    assert not any(may_write(uri) for uri in place.values())
    assert not may_list(place["scores"])
    assert not may_read(f"{place['scores']}/runs/old/run.json")


def test_a_scheduler_sees_nothing_whatever_else_it_is_given(log_in_as: LogInAs) -> None:
    place = log_in_as("scheduler", "reader", "writer")
    assert not any(may_list(uri) or may_write(uri) for uri in place.values())
    assert not may_read(f"{place['crawl']}/set/a.png")
