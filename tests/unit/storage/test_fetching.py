from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from obstore import exceptions as obs

from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.storage import Fetched, FetchLimits, Known, StorageOptions, fetch, list_prefix
from ufd_ray.storage.fetching import _classify

OPTIONS = StorageOptions()


def fetch_one(known: Known, limits: FetchLimits | None = None) -> Fetched:
    (result,) = fetch([known], OPTIONS, limits or FetchLimits())
    assert (result.data is None) != (result.error is None)
    return result


def code_of(known: Known, limits: FetchLimits | None = None) -> ErrorCode:
    error = fetch_one(known, limits).error
    assert error is not None
    assert error.message
    assert "\n" not in error.message
    return error.code


@pytest.fixture
def photo(tmp_path: Path) -> Known:
    (tmp_path / "photo.jpg").write_bytes(b"0123456789")
    os.utime(tmp_path / "photo.jpg", ns=(0, 1_764_000_000_123_456_000))
    ((entry,),) = list_prefix(str(tmp_path), OPTIONS)
    return Known(entry.uri, entry.etag, entry.size_bytes, entry.last_modified)


def test_bytes_and_what_is_known(photo: Known) -> None:
    assert fetch_one(photo) == Fetched(photo, b"0123456789")
    # A manifest's bare name: all of it is learnt now.
    assert fetch_one(Known(photo.uri)) == Fetched(photo, b"0123456789")


def test_a_time_that_was_cut_to_seconds_is_compared_in_seconds(photo: Known) -> None:
    written = datetime(2026, 11, 24, 3, 0, 7, 250_000, tzinfo=UTC).timestamp()
    os.utime(photo.uri, (written, written))
    cut = datetime.fromtimestamp(int(written), UTC)
    assert fetch_one(replace(photo, last_modified=cut)).error is None
    assert code_of(replace(photo, last_modified=cut - timedelta(seconds=1))) == ErrorCode.CHANGED


def test_results_come_in_order_whatever_became_of_them(tmp_path: Path) -> None:
    wanted = []
    for number in range(200):
        path = tmp_path / str(number)
        if number % 3:
            path.write_bytes(str(number).encode())
        wanted.append(Known(str(path)))
    results = fetch(wanted, OPTIONS, FetchLimits(num_concurrent=7))
    assert [r.known.uri for r in results] == [k.uri for k in wanted]
    for number, result in enumerate(results):
        if number % 3:
            assert result.data == str(number).encode()
        else:
            assert result.error is not None
            assert result.error.code == ErrorCode.NOT_FOUND


def test_none_is_none() -> None:
    assert fetch([], OPTIONS, FetchLimits()) == []


def test_an_empty_file_has_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert fetch_one(Known(str(tmp_path / "empty"))).data == b""


@pytest.mark.parametrize("name", ["nothing.jpg", "photo.jpg/below.jpg", "folder"])
def test_not_found(photo: Known, name: str) -> None:
    folder = Path(photo.uri).parent
    (folder / "folder").mkdir()
    assert code_of(Known(str(folder / name))) == ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    "change", [{"size_bytes": 9}, {"last_modified": datetime(2020, 1, 1, tzinfo=UTC)}]
)
def test_changed(photo: Known, change: dict[str, Any]) -> None:
    assert code_of(replace(photo, **change)) == ErrorCode.CHANGED


def test_a_microsecond_is_a_change(photo: Known) -> None:
    assert photo.last_modified is not None
    later = photo.last_modified + timedelta(microseconds=1)
    assert code_of(replace(photo, last_modified=later)) == ErrorCode.CHANGED


def test_rewritten_since_the_listing(photo: Known) -> None:
    path = Path(photo.uri)
    path.write_bytes(b"9876543210")
    os.utime(path, (0, 0))
    assert code_of(photo) == ErrorCode.CHANGED


def test_too_many_bytes(photo: Known) -> None:
    nine, ten = FetchLimits(max_bytes=9), FetchLimits(max_bytes=10)
    assert fetch_one(photo, ten).data == b"0123456789"
    assert code_of(photo, nine) == ErrorCode.TOO_MANY_BYTES
    assert code_of(Known(photo.uri), nine) == ErrorCode.TOO_MANY_BYTES
    # What its listing says is believed: nothing is opened.
    gone = Known("/nothing/there.jpg", size_bytes=10)
    assert code_of(gone, nine) == ErrorCode.TOO_MANY_BYTES


def test_a_file_that_grows_after_it_was_measured_is_not_read_on(
    photo: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def measured_then_grown(fd: int) -> os.stat_result:
        answer = real(fd)
        with open(photo.uri, "ab") as file:
            file.write(bytes(1000))
        return answer

    monkeypatch.setattr(os, "fstat", measured_then_grown)
    error = fetch_one(photo).error
    assert error is not None
    assert error.code == ErrorCode.CHANGED


def test_forbidden(photo: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the refusal comes from a stand-in.
    real = os.open

    def refuse(path: Any, *rest: Any) -> int:
        if os.fsdecode(path) == photo.uri:
            raise PermissionError(13, "Permission denied")
        return real(path, *rest)

    monkeypatch.setattr(os, "open", refuse)
    assert code_of(photo) == ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    "uri",
    ["http://example.org/a.jpg", "s3://", "", "file://host/x", "ftp://a/b", "file:///%00.jpg"],
)
def test_a_name_that_cannot_be_read_is_a_row_not_an_exception(uri: str) -> None:
    assert code_of(Known(uri)) in {ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND}


@pytest.mark.parametrize("uri", ["/a\0b.jpg", "/" + "x" * 300, "/" + "x/" * 3000, "/\udcff\ud800"])
def test_a_name_that_no_file_system_takes_is_a_row(uri: str) -> None:
    assert code_of(Known(uri)) == ErrorCode.NOT_FOUND


def test_a_pipe_or_a_device_is_a_row_and_never_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert code_of(Known(str(tmp_path / "pipe.jpg"))) == ErrorCode.NOT_FOUND
    assert code_of(Known("/dev/zero")) == ErrorCode.NOT_FOUND


def test_a_fault_nobody_thought_of_is_a_row(photo: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("out of\nthe blue")

    monkeypatch.setattr("ufd_ray.storage.fetching._read_local", fail)
    assert code_of(photo) == ErrorCode.NETWORK


def client_error(status: int, code: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "…"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "GetObject")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(2, "No such file"), "not_found"),
        (NotADirectoryError(20, "Not a directory"), "not_found"),
        (IsADirectoryError(21, "Is a directory"), "not_found"),
        (PermissionError(13, "Permission denied"), "forbidden"),
        (OSError(5, "Input/output error"), "network"),
        (OSError("the connection timed out"), "timeout"),
        (obs.NotFoundError("404"), "not_found"),
        (obs.PermissionDeniedError("403"), "forbidden"),
        (obs.UnauthenticatedError("401"), "forbidden"),
        (obs.PreconditionError("412"), "changed"),
        (obs.GenericError("server returned 503 Service Unavailable: SlowDown"), "throttled"),
        (obs.GenericError("server returned 429 Too Many Requests"), "throttled"),
        (obs.GenericError("server returned 500 Internal Server Error"), "network"),
        (obs.GenericError("server returned 400 Bad Request: ExpiredToken"), "forbidden"),
        (obs.GenericError("server returned 408 Request Timeout"), "timeout"),
        (obs.GenericError("request timed out"), "timeout"),
        (obs.GenericError("operation timeout"), "timeout"),
        (obs.GenericError("deadline has elapsed"), "timeout"),
        (obs.GenericError("connection reset by peer"), "network"),
        (obs.GenericError("photo 404 of 503 could not be parsed"), "network"),
        (client_error(404, "NoSuchKey"), "not_found"),
        (client_error(403, "AccessDenied"), "forbidden"),
        (client_error(400, "ExpiredToken"), "forbidden"),
        (client_error(412, "PreconditionFailed"), "changed"),
        (client_error(503, "SlowDown"), "throttled"),
        (client_error(500, "InternalError"), "network"),
        (ConnectTimeoutError(endpoint_url="http://x"), "timeout"),
        (EndpointConnectionError(endpoint_url="http://x"), "network"),
        (ValueError("embedded null byte"), "not_found"),
        (OSError(36, "File name too long"), "not_found"),
        (ReadTimeoutError(endpoint_url="http://x"), "timeout"),
        (ParamValidationError(report="Invalid length for parameter Key"), "not_found"),
        (RuntimeError("who knows"), "network"),
    ],
)
def test_every_error_of_a_client_has_its_word(error: Exception, code: str) -> None:
    classified = _classify(error)
    assert isinstance(classified, FetchError)
    assert classified.code == code


def test_a_message_is_one_short_line() -> None:
    message = _classify(obs.GenericError("first\n\n  second " + "x" * 1000)).message
    assert message.startswith("first second x")
    assert len(message) == 500
