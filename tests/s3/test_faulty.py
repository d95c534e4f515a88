"""A server that throttles, breaks off, hangs and restarts: every image comes, or says why not."""

from __future__ import annotations

import io
import random
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.servers.faulty import FaultyServer, Modes, faulty
from tests.servers.keys import AccessKey
from tests.servers.s3 import S3Server
from ufd_ray.errors import ErrorCode, StorageError
from ufd_ray.storage import Fetched, FetchLimits, Known, StorageOptions, fetch, object_exists
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.objects import read_object, write_object

pytestmark = pytest.mark.usefixtures("s3_env")

NUM_OBJECTS = 200
PATIENT = FetchLimits(num_attempts=8, first_wait_s=0.01)
IMPATIENT = FetchLimits(num_attempts=2, first_wait_s=0)
REQUESTS_A_TRY = 3
"""obstore's own, and boto3's: the first and two repetitions."""


@pytest.fixture
def contents(s3_server: S3Server, bucket: str) -> dict[str, bytes]:
    """What lies in the bucket, by key."""
    draws = random.Random(0)
    client = s3_server.client()
    made = {
        f"set/{n:03}.jpg": draws.randbytes(draws.randrange(2, 40_000)) for n in range(NUM_OBJECTS)
    }
    for key, data in made.items():
        client.put_object(Bucket=bucket, Key=key, Body=data)
    return made


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultyServer]:
    with faulty(s3_server.endpoint) as server:
        yield server


def options_of(proxy: FaultyServer, **further: Any) -> StorageOptions:
    return StorageOptions(s3_endpoint=proxy.url, **{"fetch_timeout_s": 60.0, **further})


def fetch_all(
    bucket: str, keys: Any, options: StorageOptions, limits: FetchLimits
) -> dict[str, Fetched]:
    keys = list(keys)
    results = fetch([Known(f"s3://{bucket}/{key}") for key in keys], options, limits)
    return dict(zip(keys, results, strict=True))


def codes(results: dict[str, Fetched]) -> set[ErrorCode | None]:
    return {result.error and result.error.code for result in results.values()}


@pytest.mark.parametrize(
    "modes",
    [
        Modes(),
        Modes(delay_s=0.01),
        Modes(slow_down=0.3),
        Modes(reset_before=0.3),
        Modes(reset_mid=0.3),
        Modes(truncate=0.3),
        Modes(stall=0.05),
        Modes(slow_down=0.1, reset_before=0.1, reset_mid=0.1, truncate=0.1, stall=0.01),
    ],
    ids=["sound", "slow", "slow_down", "reset_before", "reset_mid", "truncate", "stall", "all"],
)
def test_what_comes_and_goes_costs_no_image(
    proxy: FaultyServer, bucket: str, contents: dict[str, bytes], modes: Modes
) -> None:
    proxy.modes = modes
    options = options_of(proxy, fetch_timeout_s=4.0 if modes.stall else 60.0)
    results = fetch_all(bucket, contents, options, PATIENT)
    assert {key: result.data for key, result in results.items()} == contents
    asked_again = proxy.num_gets - NUM_OBJECTS
    # Where patience runs out at all, on a slow machine it may run out with sound answers as well.
    assert asked_again >= proxy.num_faults if modes.stall else asked_again == proxy.num_faults
    assert (proxy.num_faults > 0) == (modes not in (Modes(), Modes(delay_s=0.01)))


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("slow_down", ErrorCode.THROTTLED),
        ("reset_before", ErrorCode.NETWORK),
        ("reset_mid", ErrorCode.NETWORK),
        ("truncate", ErrorCode.NETWORK),
        ("stall", ErrorCode.TIMEOUT),
    ],
)
def test_what_stays_is_marked_and_harms_no_other(
    proxy: FaultyServer, bucket: str, contents: dict[str, bytes], mode: str, code: ErrorCode
) -> None:
    proxy.modes = Modes(**{mode: 1.0}, only="set/00")
    spoilt = {key for key in contents if key.startswith("set/00")}
    # Patience runs out where the test is about that, and nowhere else, however slow the machine.
    patience_s = 8.0 if mode == "stall" else 60.0
    results = fetch_all(bucket, contents, options_of(proxy, fetch_timeout_s=patience_s), IMPATIENT)
    for key, result in results.items():
        path = f"/{bucket}/{key}"
        if key not in spoilt:
            assert result.data == contents[key]
            assert mode == "stall" or proxy.gets[path] == 1
            continue
        assert result.error is not None
        assert result.error.code == code
        assert result.error.message.endswith("(given up after 2 attempts)")
        most = IMPATIENT.num_attempts * REQUESTS_A_TRY
        assert IMPATIENT.num_attempts <= proxy.gets[path] <= most


def test_what_will_not_pass_is_asked_for_once(
    proxy: FaultyServer, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"missing/{n}.jpg" for n in range(20)] + ["missing//odd.jpg"]
    results = fetch_all(bucket, keys, options_of(proxy), PATIENT)
    assert codes(results) == {ErrorCode.NOT_FOUND}
    assert set(proxy.gets.values()) == {1}
    proxy.forget_counts()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    results = fetch_all(bucket, keys, options_of(proxy, credentials_ttl_s=299.0), PATIENT)
    assert codes(results) == {ErrorCode.FORBIDDEN}
    assert proxy.gets == {f"/{bucket}/{key}": 1 for key in keys}


def test_keys_that_only_boto3_reads_have_the_same_patience(
    proxy: FaultyServer, s3_server: S3Server, bucket: str
) -> None:
    contents = {f"odd//{n}": bytes([n]) * 5000 for n in range(30)}
    for key, data in contents.items():
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=data)
    proxy.modes = Modes(slow_down=0.1, reset_before=0.1, reset_mid=0.1, truncate=0.1)
    results = fetch_all(bucket, contents, options_of(proxy), PATIENT)
    assert {key: result.data for key, result in results.items()} == contents


def test_members_of_a_tar_have_the_same_patience(
    proxy: FaultyServer, s3_server: S3Server, bucket: str, contents: dict[str, bytes]
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    s3_server.client().put_object(Bucket=bucket, Key="00000.tar", Body=packed.getvalue())
    uri = f"s3://{bucket}/00000.tar"
    with tarfile.open(fileobj=io.BytesIO(packed.getvalue())) as tar:
        known = [Known(uri, size_bytes=e.size, member=e.name, offset=e.offset_data) for e in tar]
    proxy.modes = Modes(slow_down=0.2, reset_mid=0.1, truncate=0.2)
    results = fetch([*known, Known(f"s3://{bucket}/set/000.jpg")], options_of(proxy), PATIENT)
    assert {r.known.member: r.data for r in results[:-1]} == contents
    assert results[-1].data == contents["set/000.jpg"]
    # One container, a few requests, whatever the number of its images.
    assert proxy.num_gets - proxy.num_faults < 10
    proxy.modes = Modes(slow_down=1.0)
    marked = fetch(known[:3], options_of(proxy), IMPATIENT)
    assert {r.error and r.error.code for r in marked} == {ErrorCode.THROTTLED}


def test_an_object_that_is_replaced_while_its_body_breaks_off_is_no_mixture(
    proxy: FaultyServer, s3_server: S3Server, bucket: str
) -> None:
    old, new = b"o" * 50_000, b"n" * 50_000
    client = s3_server.client()
    client.put_object(Bucket=bucket, Key="x", Body=old)
    ((entry,),) = list_prefix(f"s3://{bucket}/x", options_of(proxy))
    proxy.modes = Modes(truncate=0.5)
    known = Known(entry.uri, entry.etag)
    for body, expected in ((old, {"data": old}), (new, {"data": None})):
        client.put_object(Bucket=bucket, Key="x", Body=body)
        (result,) = fetch([known], options_of(proxy), PATIENT)
        assert result.data == expected["data"]
    assert result.error is not None
    assert result.error.code == ErrorCode.CHANGED


def test_a_restart_is_outlasted(
    proxy: FaultyServer, bucket: str, contents: dict[str, bytes]
) -> None:
    options = options_of(proxy)
    proxy.stop()
    gone = fetch_all(bucket, contents, options, IMPATIENT)
    assert codes(gone) == {ErrorCode.NETWORK}
    # Waits of .5, 2.5 and 12.5 seconds, as by default they are of 1, 5 and 25.
    back = threading.Timer(1.0, proxy.start)
    back.start()
    results = fetch_all(bucket, contents, options, FetchLimits(first_wait_s=0.5))
    back.join()
    assert {key: result.data for key, result in results.items()} == contents


def test_our_own_files_pass_through_errors_or_name_them(
    proxy: FaultyServer, s3_server: S3Server, bucket: str
) -> None:
    options, root = options_of(proxy, timeout_s=5.0), f"s3://{bucket}/ours"
    proxy.modes = Modes(put_error=0.5, slow_down=0.3, truncate=0.2)
    for number in range(20):
        data = bytes([number]) * 3000
        write_object(f"{root}/{number}", data, options)
        assert read_object(f"{root}/{number}", options) == data
    assert proxy.num_puts > 20
    impatient = replace(options, timeout_s=2.0)
    for modes, said in (
        (Modes(put_error=1.0), "InternalError"),
        (Modes(put_room_bytes=0), "QuotaExceeded"),
        (Modes(put_room_bytes=0, put_refusal="AccessDenied"), "AccessDenied"),
    ):
        proxy.modes = modes
        with pytest.raises(StorageError, match=said):
            write_object(f"{root}/no", b"1", impatient)
        assert not object_exists(f"{root}/no", impatient)


def test_room_is_counted_in_bytes(proxy: FaultyServer, bucket: str) -> None:
    proxy.modes = Modes(put_room_bytes=250)
    write = partial(write_object, options=options_of(proxy))
    for number in range(2):
        write(f"s3://{bucket}/{number}", bytes(100))
    with pytest.raises(StorageError, match="QuotaExceeded"):
        write(f"s3://{bucket}/2", bytes(100))


def test_counts_and_signatures(
    proxy: FaultyServer, s3_server: S3Server, bucket: str, contents: dict[str, bytes]
) -> None:
    ours = replace(s3_server, endpoint=proxy.url)
    listed = [key for page in list_prefix(f"s3://{bucket}/set", options_of(proxy)) for key in page]
    assert len(listed) == NUM_OBJECTS
    assert (proxy.num_lists > 0, proxy.num_gets, proxy.num_puts) == (True, 0, 0)
    ours.client().put_object(Bucket=bucket, Key="ü b+c", Body=b"1")
    assert ours.client().get_object(Bucket=bucket, Key="ü b+c")["Body"].read() == b"1"
    assert (proxy.gets, proxy.num_puts) == ({f"/{bucket}/ü b+c": 1}, 1)
    stranger = ours.client(AccessKey(s3_server.access_key, "wrong"))
    with pytest.raises(stranger.exceptions.ClientError, match="SignatureDoesNotMatch"):
        stranger.get_object(Bucket=bucket, Key="ü b+c")
