from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.storage.runs.published import publish
from ufd_ray.errors import SettingsError
from ufd_ray.storage import StorageOptions, published_runs

OPTIONS = StorageOptions()


def names(root: Path) -> list[str]:
    return [run.run_id for run in published_runs(str(root), OPTIONS)]


def test_oldest_first_then_by_name(tmp_path: Path) -> None:
    for run_id, minute in (("c", 1), ("b", 2), ("a", 2), ("d", 0)):
        publish(tmp_path, run_id, [], minute=minute)
    assert names(tmp_path) == ["d", "c", "a", "b"]


def test_what_it_knows_of_a_run(tmp_path: Path) -> None:
    folder = publish(tmp_path, "a", [{"uri": str(n)} for n in range(4)])
    (run,) = published_runs(str(tmp_path), OPTIONS)
    assert (run.uri, run.detector_id) == (str(folder), "detector")
    assert run.started_at == "2026-11-24T12:00:00+00:00"
    assert run.score_files == [f"{folder}/scores/part-0000{n}.parquet" for n in range(2)]


def test_only_what_is_published_counts(tmp_path: Path) -> None:
    publish(tmp_path, "half", [], success=False)
    publish(tmp_path, "whole", [])
    assert names(tmp_path) == ["whole"]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert names(tmp_path / "nowhere") == []
    (tmp_path / "runs").mkdir()
    assert names(tmp_path) == []


def test_folders_and_files_of_others_are_passed_over(tmp_path: Path) -> None:
    for name in (".hidden", "two words", "x" * 129, "newline\n"):
        publish(tmp_path, name, [])
    (tmp_path / "runs" / "note.txt").touch()
    assert names(tmp_path) == []


def test_the_first_release_recorded_no_detector(tmp_path: Path) -> None:
    publish(tmp_path, "old", [], detector_id=None)
    (run,) = published_runs(str(tmp_path), OPTIONS)
    assert run.detector_id == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "run.json is no JSON"),
        ('{"format_version": 99}', "run.json is of format version 99; this release reads 1"),
        ('{"format_version": 1}', "run.json is damaged .started_at None"),
        (None, "there is no run.json"),
    ],
)
def test_a_run_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, fault: str) -> None:
    document = publish(tmp_path, "broken", []) / "run.json"
    document.unlink()
    if text is not None:
        document.write_text(text)
    with pytest.raises(SettingsError, match=f"published run {tmp_path}/runs/broken: {fault}"):
        names(tmp_path)


@pytest.mark.parametrize("files", [None, [], [{"name": "scores/../../../else.parquet"}], ["x"]])
def test_files_of_other_names_are_not_read(tmp_path: Path, files: object) -> None:
    document = publish(tmp_path, "odd", []) / "run.json"
    document.write_text(json.dumps(json.loads(document.read_text()) | {"files": files}))
    (run,) = published_runs(str(tmp_path), OPTIONS)
    with pytest.raises(SettingsError, match=rf"{tmp_path}/runs/odd: run.json (names no|does not)"):
        _ = run.score_files
