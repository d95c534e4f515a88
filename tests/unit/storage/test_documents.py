from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.schema import FORMAT_VERSION
from ufd_ray.storage import StorageOptions, outcome_of_earlier, write_document
from ufd_ray.storage.documents import describe_differences, read_document

OPTIONS = StorageOptions()


def read(folder: Path) -> dict[str, Any]:
    return read_document(str(folder), "bank.json", f"--bank {folder}", OPTIONS)


def test_round_trip(tmp_path: Path) -> None:
    content = {"name": 'ü "quoted"\n', "none": None, "list": [1, 0.1], "path": "/a\udcff"}
    write_document(str(tmp_path), "bank.json", content, OPTIONS)
    assert read(tmp_path) == {"format_version": FORMAT_VERSION, **content}
    text = (tmp_path / "bank.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "format_version": 1,\n')
    assert text.endswith("}\n")
    assert "ü" in text  # a person reads it


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is no bank.json"),
        (b"", "bank.json is no JSON"),
        (b'{"format_version": 1', "bank.json is no JSON"),
        (b"\xff\xfe\xfa", "bank.json is no JSON"),
        (b"[1]", "bank.json is of format version None; this release reads 1"),
        (b"{}", "bank.json is of format version None; this release reads 1"),
        (b'{"format_version": 2}', "bank.json is of format version 2; this release reads 1"),
        (b'{"format_version": "1"}', "bank.json is of format version 1; this release reads 1"),
    ],
)
def test_what_is_no_such_document_is_refused(
    tmp_path: Path, text: bytes | None, complaint: str
) -> None:
    if text is not None:
        (tmp_path / "bank.json").write_bytes(text)
    with pytest.raises(SettingsError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"--bank {tmp_path}: {complaint}")
    assert "\n" not in str(caught.value)


def test_a_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bank.json").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        write_document(str(tmp_path / "file"), "bank.json", {}, OPTIONS)


# Whether a job's result is there already


def made(folder: Path, fingerprint: dict[str, Any]) -> bool:
    earlier = outcome_of_earlier(str(folder), "bank.json", fingerprint, "a bank built", OPTIONS)
    return earlier is not None


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert not made(tmp_path, {"seed": 1})
    assert not made(tmp_path / "nowhere", {"seed": 1})


def test_the_same_settings_are_made_and_others_refused(tmp_path: Path) -> None:
    write_document(str(tmp_path), "bank.json", {"fingerprint": {"seed": 1, "dtype": "x"}}, OPTIONS)
    assert made(tmp_path, {"dtype": "x", "seed": 1})
    with pytest.raises(SettingsError) as caught:
        made(tmp_path, {"seed": 2, "dtype": "x"})
    assert str(caught.value) == (
        f"--output {tmp_path} holds a bank built with other settings: seed was 1, is 2;"
        " choose another place"
    )


def test_a_strangers_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bank.json").write_text("[]")
    with pytest.raises(SettingsError, match=r"--output .* format version None"):
        made(tmp_path, {})


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_document_nested_without_end_is_refused(tmp_path: Path, opening: str) -> None:
    (tmp_path / "bank.json").write_text(opening * 100_000)
    with pytest.raises(SettingsError, match=r"bank.json is no JSON"):
        made(tmp_path, {})


def test_differences_are_spelt_out() -> None:
    assert describe_differences({"a": 1}, {"a": 1}) == ""
    said = describe_differences({"a": 1, "b": None, "same": 0}, {"a": "1", "c": [2], "same": 0})
    assert said == "a was 1, is '1', c was None, is [2]"


@pytest.mark.parametrize("value", [None, [], False])
def test_a_setting_that_an_older_release_lacks_does_not_differ_while_it_says_nothing(
    value: Any,
) -> None:
    assert describe_differences({"a": 1}, {"a": 1, "new": value}) == ""
    assert describe_differences({"a": 1, "new": True}, {"a": 1, "new": value}) != ""
    assert describe_differences({"a": 1}, {"a": 1, "new": "x"}) == "new was None, is 'x'"
