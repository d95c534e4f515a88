from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ufd_ray.errors import StorageError
from ufd_ray.storage import StorageOptions, describe_file, file_on_node
from ufd_ray.storage.node_cache import cache_folder


def test_a_local_file_is_used_where_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"weights")
    for uri in (str(file), file.as_uri()):
        with file_on_node(uri, StorageOptions()) as found:
            assert found.path == file
            assert found.sha256 == hashlib.sha256(b"weights").hexdigest()
            assert found.size_bytes == 7
    with pytest.raises(FileNotFoundError), file_on_node(f"{file}x", StorageOptions()):
        pass


def test_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("UFD_RAY_CACHE", "")
    assert cache_folder() == Path("/home/me/.cache/ufd-ray")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    assert cache_folder() == Path("/scratch/ufd-ray")
    monkeypatch.setenv("UFD_RAY_CACHE", "/local")
    assert cache_folder() == Path("/local")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        describe_file(tmp_path)


def test_a_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "w.pt"
    file.touch()

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(hashlib, "file_digest", fail)
    with pytest.raises(StorageError, match=r"w\.pt cannot be read: Permission denied"):
        describe_file(file)
