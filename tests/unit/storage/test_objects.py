from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ufd_ray.errors import StorageError
from ufd_ray.storage import StorageOptions, list_folder, local_copy, object_exists
from ufd_ray.storage.folders import delete_folder, drop_empty_folders
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.objects import (
    delete_object,
    delete_objects,
    read_object,
    write_from,
    write_object,
)

OPTIONS = StorageOptions()


@pytest.mark.parametrize("spelling", [str, lambda path: f"file://{path}"])
def test_round_trip(tmp_path: Path, spelling: Callable[[Path], str]) -> None:
    uri = spelling(tmp_path / "a" / "b" / "c.bin")
    assert not object_exists(uri, OPTIONS)
    write_object(uri, b"first", OPTIONS)
    write_object(uri, b"second", OPTIONS)
    assert object_exists(uri, OPTIONS)
    assert read_object(uri, OPTIONS) == b"second"
    delete_object(uri, OPTIONS)
    assert not object_exists(uri, OPTIONS)
    delete_object(uri, OPTIONS)  # gone already is fine


def test_a_file_is_put_whole_or_not_at_all(tmp_path: Path) -> None:
    source = tmp_path / "source"
    uri = str(tmp_path / "a" / "target")
    with pytest.raises(StorageError, match="cannot be written"):
        write_from(uri, source, OPTIONS)
    assert list((tmp_path / "a").iterdir()) == []
    for data in (b"first", b"second"):
        source.write_bytes(data)
        write_from(uri, source, OPTIONS)
        assert read_object(uri, OPTIONS) == data
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["target"]


def test_some_objects_of_a_folder_go_and_then_empty_folders(tmp_path: Path) -> None:
    names = ["a/b/1", "a/b/2", "a/c/1", "a/3"]
    for name in names:
        write_object(str(tmp_path / name), b"x", OPTIONS)
    delete_objects([], OPTIONS)
    delete_objects([str(tmp_path / name) for name in (*names[:2], "a/gone")], OPTIONS)
    assert list_folder(str(tmp_path), OPTIONS) == [f"{tmp_path}/a/3", f"{tmp_path}/a/c/1"]
    drop_empty_folders(str(tmp_path / "a"))
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["3", "c"]


def test_nothing_there(tmp_path: Path) -> None:
    for uri in (str(tmp_path / "nothing"), str(tmp_path / "no" / "thing")):
        with pytest.raises(FileNotFoundError, match="nothing is there"):
            read_object(uri, OPTIONS)
        with pytest.raises(FileNotFoundError), local_copy(uri, OPTIONS):
            pass


def test_a_folder_is_no_object(tmp_path: Path) -> None:
    assert not object_exists(str(tmp_path), OPTIONS)
    with pytest.raises(StorageError, match="cannot be read"):
        read_object(str(tmp_path), OPTIONS)
    with pytest.raises(StorageError, match="cannot be written"):
        write_object(str(tmp_path), b"", OPTIONS)


def test_put_if_absent(tmp_path: Path) -> None:
    uri = str(tmp_path / "name")
    write_object(uri, b"first", OPTIONS, if_absent=True)
    with pytest.raises(FileExistsError, match="exists already"):
        write_object(uri, b"second", OPTIONS, if_absent=True)
    assert read_object(uri, OPTIONS) == b"first"


def test_of_many_who_put_if_absent_one_wins(tmp_path: Path) -> None:
    uri = str(tmp_path / "runs" / "r1" / "run.json")  # nor do the folders exist yet
    start, winners, losers = threading.Barrier(16), [], []

    def put(number: int) -> None:
        start.wait()
        try:
            write_object(uri, bytes([number]) * 1000, OPTIONS, if_absent=True)
            winners.append(number)
        except FileExistsError:
            losers.append(number)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(winners), len(losers)) == (1, 15)
    assert read_object(uri, OPTIONS) == bytes(winners) * 1000
    assert [path.name for path in (tmp_path / "runs" / "r1").iterdir()] == ["run.json"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = str(tmp_path / "name")
    write_object(uri, b"before", OPTIONS)

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", disk_full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_object(uri, b"after", OPTIONS)
    assert read_object(uri, OPTIONS) == b"before"
    assert list_folder(str(tmp_path), OPTIONS) == [uri]


def test_a_file_where_a_folder_should_be_is_no_existing_object(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for uri in (tmp_path / "file" / "x", tmp_path / "file" / "y" / "x"):
        for if_absent in (False, True):
            with pytest.raises(StorageError, match="cannot be written"):
                write_object(str(uri), b"", OPTIONS, if_absent=if_absent)


def test_folders(tmp_path: Path) -> None:
    names = ["b.json", "a/1.parquet", "a/2.parquet", "c/d/e"]
    for name in names:
        write_object(f"{tmp_path}/out put/{name}", b"x", OPTIONS)
    root = f"{tmp_path}/out put"
    assert list_folder(root, OPTIONS) == [f"{root}/{n}" for n in sorted(names)]
    assert list_folder(f"{root}/", OPTIONS) == list_folder(root, OPTIONS)
    encoded = f"file://{tmp_path}/out%20put"
    assert list_folder(encoded, OPTIONS) == [f"{encoded}/{n}" for n in sorted(names)]
    assert read_object(list_folder(encoded, OPTIONS)[0], OPTIONS) == b"x"
    delete_folder(f"{root}/a", OPTIONS)
    assert list_folder(root, OPTIONS) == [f"{root}/b.json", f"{root}/c/d/e"]
    delete_folder(root, OPTIONS)
    delete_folder(root, OPTIONS)
    assert list_folder(root, OPTIONS) == []


def test_a_local_copy_of_a_local_file_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"w")
    with local_copy(f"file://{tmp_path}/weights.pt", OPTIONS) as path:
        assert path == tmp_path / "weights.pt"
    assert path.exists()


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("…<Code>SignatureDoesNotMatch</Code>… key=SECRET", "the secret key is wrong"),
        ("…InvalidAccessKeyId…", "does not know the access key"),
        ("…ExpiredToken…", "have expired"),
        ("…NoSuchBucket…", "there is no such bucket"),
        ("…AccessDenied…", "not allowed to do this"),
        ("tcp connect error: Connection refused (os error 111)", "does not answer"),
    ],
)
def test_what_a_client_says_is_explained(text: str, meaning: str) -> None:
    explained = explain(RuntimeError(text))
    assert meaning in explained
    assert "SECRET" not in explained


def test_what_nobody_explains_is_one_short_line() -> None:
    assert explain(RuntimeError("a\n  b " + "x" * 500)) == "a b " + "x" * 296
