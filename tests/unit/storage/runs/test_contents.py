"""What lies in a folder, while others write there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import StorageError
from ufd_ray.storage import StorageOptions
from ufd_ray.storage.runs.contents import list_contents

HERE = StorageOptions()


def names(folder: Path) -> list[str]:
    return [stored.name for stored in list_contents(str(folder), HERE)]


def test_files_and_links_at_any_depth_are_told_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "scores" / "deep").mkdir(parents=True)
    (tmp_path / "scores" / "deep" / "a").write_bytes(b"123")
    (tmp_path / "link").symlink_to(tmp_path / "scores")
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path) == ["link", "scores/deep/a"]
    assert list_contents(str(tmp_path), HERE)[1].num_bytes == 3
    assert names(tmp_path / "not there") == []


def test_what_goes_while_it_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("draft", "run.json"):
        (tmp_path / name).touch()
    lstat = Path.lstat

    def renamed_meanwhile(path: Path) -> Any:
        if path.name == "draft":
            path.unlink(missing_ok=True)
        if path.name == "folder":
            path.rmdir()
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", renamed_meanwhile)
    assert names(tmp_path) == ["run.json"]


def test_a_folder_that_may_not_be_read_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(StorageError, match=r"cannot be listed: .*Permission denied"):
        names(tmp_path)
