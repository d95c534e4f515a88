"""Weights in a bucket: fetched once a machine, again when they change, never trusted blindly."""

from __future__ import annotations

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.servers.s3 import S3Server
from ufd_ray.errors import StorageError
from ufd_ray.storage import StorageOptions, file_on_node, node_cache

DATA = bytes(range(256)) * 80_000  # 20 MB: several of the chunks in which it comes


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("UFD_RAY_CACHE", str(folder))
    return folder


@pytest.fixture
def uri(s3_server: S3Server, bucket: str, s3_env: dict[str, str], cache: Path) -> str:
    put(s3_server, bucket, DATA)
    return f"s3://{bucket}/weights/net.safetensors"


def put(server: S3Server, bucket: str, data: bytes) -> None:
    server.client().put_object(Bucket=bucket, Key="weights/net.safetensors", Body=data)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where objects were downloaded to."""
    calls: list[Path] = []
    real = node_cache.download

    def watched(uri: str, file: Path, *rest: object) -> str:
        calls.append(file)
        return real(uri, file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(node_cache, "download", watched)
    return calls


def take(uri: str) -> tuple[Path, str, int, bytes]:
    with file_on_node(uri, StorageOptions()) as found:
        return found.path, found.sha256, found.size_bytes, found.path.read_bytes()


def test_it_is_fetched_once(uri: str, cache: Path, fetched: list[Path]) -> None:
    first, second = take(uri), take(uri)
    assert first == second
    path, sha256, size, data = first
    assert (path.name, size, data) == ("net.safetensors", len(DATA), DATA)
    assert path.is_relative_to(cache)
    assert sha256 == hashlib.sha256(DATA).hexdigest()
    assert len(fetched) == 1
    assert not list(cache.rglob(".fetching-*"))


def test_a_changed_object_is_fetched_anew(
    uri: str, s3_server: S3Server, bucket: str, fetched: list[Path]
) -> None:
    take(uri)
    put(s3_server, bucket, DATA[::-1])  # of the same length
    assert take(uri)[3] == DATA[::-1]
    assert len(fetched) == 2


def test_a_copy_that_was_touched_is_fetched_anew(
    uri: str, fetched: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = take(uri)[0]
    path.write_bytes(b"x" + DATA[1:])
    assert take(uri)[3] == DATA
    assert len(fetched) == 2
    assert "has changed on disk; it is fetched anew" in capsys.readouterr().out


def test_half_a_copy_is_no_copy(uri: str, cache: Path, fetched: list[Path]) -> None:
    path = take(uri)[0]
    # As a worker leaves it that is killed while it fetches: a draft, and no file of the name.
    path.rename(path.with_name(".fetching-0"))
    assert take(uri)[3] == DATA
    (next(cache.glob("*.sha256"))).unlink()
    assert take(uri)[3] == DATA
    assert len(fetched) == 3


def _take_in_a_process(uri: str) -> tuple[str, int]:
    calls = 0
    real = node_cache.download

    def watched(*given: object) -> str:
        nonlocal calls
        calls += 1
        return real(*given)  # type: ignore[arg-type]

    node_cache.download = watched
    return take(uri)[1], calls


def test_processes_that_want_it_at_once_fetch_it_once(uri: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=spawn) as pool:
        found = list(pool.map(_take_in_a_process, [uri] * 3))
    assert {sha256 for sha256, _ in found} == {hashlib.sha256(DATA).hexdigest()}
    assert sum(calls for _, calls in found) == 1


def test_without_a_folder_there_is_a_copy_for_the_while(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UFD_RAY_CACHE", str(tmp_path / "file" / "below"))
    with file_on_node(uri, StorageOptions()) as found:
        assert found.path.read_bytes() == DATA
        assert found.sha256 == hashlib.sha256(DATA).hexdigest()
    assert not found.path.exists()
    line = capsys.readouterr().out
    assert line.startswith(f"warning: {uri} is not cached on this machine: ")
    assert line.count("\n") == 1


def test_no_room_anywhere_is_one_error(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(node_cache, "download", full)
    complaint = r"net\.safetensors cannot be copied .*: No space left.*UFD_RAY_CACHE or TMPDIR"
    with pytest.raises(StorageError, match=complaint) as caught:
        take(uri)
    assert "\n" not in str(caught.value)


def test_nothing_there_is_said_so(uri: str, fetched: list[Path]) -> None:
    with pytest.raises(FileNotFoundError, match="nothing is there"):
        take(f"{uri}.gone")
    assert not fetched


def test_an_object_that_changes_while_it_is_read_is_refused(
    uri: str, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = node_cache.object_version

    def seen(*given: object) -> object:
        version = real(*given)  # type: ignore[arg-type]
        put(s3_server, bucket, DATA[::-1])
        return version

    monkeypatch.setattr(node_cache, "object_version", seen)
    with pytest.raises(StorageError, match="changed while it was read"):
        take(uri)
