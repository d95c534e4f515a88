from __future__ import annotations

import asyncio
import io
import os
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.storage import Fetched, FetchLimits, Known, StorageOptions, fetch
from ufd_ray.storage.fetching.fetch import _wait_s
from ufd_ray.storage.listing.prefixes import list_prefix

OPTIONS = StorageOptions()
AT_ONCE = FetchLimits(first_wait_s=0)


def fetch_one(known: Known, limits: FetchLimits | None = None) -> Fetched:
    (result,) = fetch([known], OPTIONS, limits or AT_ONCE)
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


def test_of_nothing_comes_nothing() -> None:
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

    monkeypatch.setattr("ufd_ray.storage.fetching.object_reads._read_local", fail)
    assert code_of(photo) == ErrorCode.NETWORK


class Scripted:
    """Stands for one try at an object: errors in turn, then the bytes."""

    def __init__(self, *errors: FetchError | Exception) -> None:
        self.errors = list(errors)
        self.num_tries = 0

    async def __call__(self, known: Known, *_: Any) -> Fetched:
        self.num_tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return Fetched(known, b"bytes")


def script(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> Scripted:
    scripted = Scripted(*errors)
    monkeypatch.setattr("ufd_ray.storage.fetching.fetch.read_object_once", scripted)
    return scripted


@pytest.mark.parametrize("code", [code for code in ErrorCode if code.transient])
def test_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch, code: ErrorCode) -> None:
    scripted = script(monkeypatch, *[FetchError(code, "busy") for _ in range(3)])
    assert fetch_one(Known("s3://b/k")).data == b"bytes"
    assert scripted.num_tries == 4


@pytest.mark.parametrize("num_attempts", [1, 2, 4])
def test_tries_end_and_the_row_says_how_many_they_were(
    monkeypatch: pytest.MonkeyPatch, num_attempts: int
) -> None:
    scripted = script(monkeypatch, *[FetchError(ErrorCode.THROTTLED, "busy") for _ in range(9)])
    result = fetch_one(Known("s3://b/k"), replace(AT_ONCE, num_attempts=num_attempts))
    assert scripted.num_tries == num_attempts
    assert result.error is not None
    assert result.error.code == ErrorCode.THROTTLED
    number = "1 attempt" if num_attempts == 1 else f"{num_attempts} attempts"
    assert result.error.message == f"busy (given up after {number})"


@pytest.mark.parametrize("code", [code for code in ErrorCode if not code.transient])
def test_what_will_not_pass_is_tried_once(monkeypatch: pytest.MonkeyPatch, code: ErrorCode) -> None:
    scripted = script(monkeypatch, FetchError(code, "no"))
    result = fetch_one(Known("s3://b/k"))
    assert result.error is not None
    assert (result.error.code, result.error.message) == (code, "no")
    assert scripted.num_tries == 1


def test_the_last_word_is_the_last_error(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, TimeoutError(), FetchError(ErrorCode.NOT_FOUND, "gone"))
    assert code_of(Known("s3://b/k")) == ErrorCode.NOT_FOUND


def test_a_try_that_hangs_is_ended_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    num_tries = 0

    async def hang(*_: Any) -> None:
        nonlocal num_tries
        num_tries += 1
        await asyncio.Event().wait()

    monkeypatch.setattr("ufd_ray.storage.fetching.fetch.read_object_once", hang)
    options = StorageOptions(fetch_timeout_s=0.05)
    (result,) = fetch([Known("s3://b/k")], options, replace(AT_ONCE, num_attempts=2))
    assert result.error is not None
    assert result.error.code == ErrorCode.TIMEOUT
    assert result.error.message == "no complete answer within 0.05 s (given up after 2 attempts)"
    assert num_tries == 2


def test_by_default_a_restart_of_20_seconds_is_outlasted() -> None:
    limits = FetchLimits()
    shortest = sum(min(_wait_s(n, limits) for _ in range(100)) for n in (1, 2, 3))
    longest = sum(max(_wait_s(n, limits) for _ in range(100)) for n in (1, 2, 3))
    assert 20 < shortest < longest < 40
    assert _wait_s(50, limits) <= 1.25 * 60


@pytest.fixture
def tar(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Known]:
    """Images in a tar, by name, as a listing knows them."""
    names = {"a.jpg": b"aaaa", "b.jpg": b"bb", "c.jpg": b"cccccc"}
    uri = str(tmp_path_factory.mktemp("shards") / "00000.tar")
    with tarfile.open(uri, "w") as file:
        for name, data in names.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    with tarfile.open(uri) as file:
        return {
            e.name: Known(uri, size_bytes=e.size, member=e.name, offset=e.offset_data) for e in file
        }


def test_members_come_beside_objects_in_order(tar: dict[str, Known], photo: Known) -> None:
    wanted = [tar["c.jpg"], photo, tar["a.jpg"], replace(tar["b.jpg"], member="no", offset=None)]
    results = fetch(wanted, OPTIONS, AT_ONCE)
    assert [r.data for r in results] == [b"cccccc", b"0123456789", b"aaaa", None]
    assert [r.known.member for r in results] == ["c.jpg", None, "a.jpg", "no"]
    assert results[3].error is not None
    assert results[3].error.code == ErrorCode.NOT_FOUND


def test_a_container_is_opened_once_a_try_for_those_members_that_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str | None]] = []

    def read(_: str, members: list[Known], *__: Any) -> list[bytes | FetchError]:
        asked.append([known.member for known in members])
        busy = FetchError(ErrorCode.NETWORK, "broke off")
        gone = FetchError(ErrorCode.NOT_FOUND, "no such member")
        first = {"a": b"a", "b": busy, "c": gone}
        return [first[k.member or ""] if len(asked) == 1 else b"later" for k in members]

    monkeypatch.setattr("ufd_ray.storage.fetching.fetch.read_members", read)
    members = [Known("s3://b/x.tar", member=name) for name in "abc"]
    results = fetch(members, OPTIONS, AT_ONCE)
    assert asked == [["a", "b", "c"], ["b"]]
    assert [r.data for r in results] == [b"a", b"later", None]
    assert results[0].known == replace(members[0], size_bytes=1)


def test_a_container_that_is_gone_marks_all_its_images(tmp_path: Path) -> None:
    gone = [Known(str(tmp_path / "no.tar"), member=name) for name in "ab"]
    codes = [r.error and r.error.code for r in fetch(gone, OPTIONS, AT_ONCE)]
    assert codes == [ErrorCode.NOT_FOUND] * 2


def test_the_web_is_closed_unless_opened() -> None:
    error = fetch_one(Known("https://example.org/a.jpg")).error
    assert error is not None
    assert error.code == ErrorCode.FORBIDDEN
    assert "--allow-http" in error.message
