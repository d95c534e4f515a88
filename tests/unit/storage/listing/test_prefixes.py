from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import StorageError
from ufd_ray.storage import StorageOptions, parse_uri
from ufd_ray.storage.entries import ObjectInfo
from ufd_ray.storage.listing.prefixes import list_prefix

OPTIONS = StorageOptions()


def listed(folder: Path | str) -> list[ObjectInfo]:
    return [entry for page in list_prefix(str(folder), OPTIONS) for entry in page]


def names(folder: Path) -> list[str]:
    return [entry.uri.removeprefix(f"{folder}/") for entry in listed(folder)]


def fill(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_folders_are_listed_to_the_bottom_and_sorted(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "b.jpg",
        "a/2.png",
        "a/10.png",
        "a/c/d/e/f.gif",
        "z.txt",
        ".hidden",
        "C",
        "Z/1",
        "b/1",
    )
    assert names(tmp_path) == [
        ".hidden",
        "C",
        "b.jpg",
        "z.txt",
        "Z/1",
        "a/10.png",
        "a/2.png",
        "a/c/d/e/f.gif",
        "b/1",
    ]
    assert listed(tmp_path) == listed(f"{tmp_path}/") == listed(f"file://{tmp_path}")


def test_what_is_known_of_a_file(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(0, 1_700_000_000_123_456_789))
    moment = datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    expected = ObjectInfo(str(tmp_path / "a.jpg"), None, 5, moment)
    assert listed(tmp_path) == [expected]
    assert listed(tmp_path / "a.jpg") == [expected]


def test_a_time_before_1970(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(0, -1_500_000_000))
    (entry,) = listed(tmp_path)
    assert entry.last_modified == datetime(1969, 12, 31, 23, 59, 58, 500000, UTC)


def test_odd_names_are_listed_as_they_stand(tmp_path: Path) -> None:
    odd = ["a b.jpg", "a#1.jpg", "a%20b.jpg", "line\nbreak.jpg", "ü.jpg", "😀.jpg", "a?b=c.jpg"]
    fill(tmp_path, *odd)
    assert names(tmp_path) == sorted(odd, key=os.fsencode)
    for entry in listed(tmp_path):
        assert Path(parse_uri(entry.uri).key).is_file()


def test_names_that_are_not_utf8_are_percent_encoded(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"\xe9t\xe9 #")
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes no names but UTF-8")
    path = os.path.join(folder, b"\xff%.jpg")
    Path(os.fsdecode(path)).write_bytes(b"x")
    (entry,) = listed(tmp_path)
    assert entry.uri == f"file://{tmp_path}/%E9t%E9%20%23/%FF%25.jpg"
    assert os.fsencode(parse_uri(entry.uri).key) == path
    assert listed(entry.uri) == [entry]


def test_loops_of_links_end(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "good.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    assert names(tmp_path) == ["good.jpg", "a/1.jpg"]


def test_pipes_and_sockets_are_no_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.jpg")
        assert names(tmp_path) == ["a.jpg"]
    with pytest.raises(FileNotFoundError):
        listed(tmp_path / "pipe.jpg")


def test_a_file_that_goes_while_it_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    real = os.stat

    def stat_after_the_end(path: Any, **how: Any) -> os.stat_result:
        if os.fsencode(path).endswith(b"b.jpg"):
            os.unlink(path)
        return real(path, **how)

    monkeypatch.setattr(os, "stat", stat_after_the_end)
    assert names(tmp_path) == ["a.jpg", "c.jpg"]


def test_a_folder_that_goes_while_it_is_listed_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg", "b/1.jpg")
    pages: Iterator[list[ObjectInfo]] = list_prefix(str(tmp_path), OPTIONS)
    # Its parent has been read by the time that the walk comes to it.
    real = os.scandir

    def scandir_after_the_end(path: Any) -> Any:
        if os.fsencode(path).endswith(b"/b"):
            (tmp_path / "b" / "1.jpg").unlink()
            (tmp_path / "b").rmdir()
        return real(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir_after_the_end)
        found = [entry.uri for page in pages for entry in page]
    assert found == [f"{tmp_path}/a/1.jpg"]


def test_pages_hold_a_thousand(tmp_path: Path) -> None:
    for number in range(2001):
        (tmp_path / f"{number:04d}").touch()
    assert [len(page) for page in list_prefix(str(tmp_path), OPTIONS)] == [1000, 1000, 1]


@pytest.mark.parametrize("name", ["nothing", "empty", "nested"])
def test_nothing_there_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nested" / "a" / "b").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=f"{name}: no objects there"):
        listed(tmp_path / name)


def test_a_folder_that_may_not_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read everything, so the refusal comes from a stand-in.
    fill(tmp_path, "a.jpg", "locked/b.jpg")
    real = os.scandir

    def refusing(path: Any) -> Any:
        if os.fsencode(path).endswith(b"/locked"):
            raise PermissionError(13, "Permission denied", os.fsdecode(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(StorageError, match=r"cannot be listed: .*Permission denied.*locked"):
        listed(tmp_path)


def test_any_other_fault_of_the_file_system_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.jpg", "ill/b.jpg")
    real = os.scandir

    def failing(path: Any) -> Any:
        if os.fsencode(path).endswith(b"/ill"):
            raise OSError(5, "Input/output error", os.fsdecode(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(StorageError, match=r"cannot be listed: .*Input/output error"):
        listed(tmp_path)
