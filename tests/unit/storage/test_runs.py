from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.storage import (
    RunFolder,
    StorageOptions,
    list_folder,
    new_run_id,
    utc_now,
    write_object,
)

OPTIONS = StorageOptions()
THESE = {"k": 9, "input": ["/photos"]}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(str(tmp_path), "nightly", OPTIONS)


def begun(outcome: str = "running") -> dict[str, Any]:
    return {"run_id": "nightly", "outcome": outcome, "fingerprint": THESE}


def test_places(run: RunFolder, tmp_path: Path) -> None:
    assert run.uri == f"{tmp_path}/runs/nightly"
    assert run.manifest == f"{tmp_path}/runs/nightly/manifest"
    assert run.parts == f"{tmp_path}/runs/nightly/parts"


def test_an_unknown_name_is_free_and_taken_once(run: RunFolder) -> None:
    assert run.published(THESE) is None
    run.claim(begun())
    with pytest.raises(SettingsError, match="--run-id nightly has just been taken"):
        run.claim(begun())


def test_a_published_run_with_the_same_settings_is_done(run: RunFolder) -> None:
    run.claim(begun())
    run.finish(begun("published"), "<p>report</p>")
    assert run.published(THESE) is Outcome.PUBLISHED
    assert run.published(dict(reversed(THESE.items()))) is Outcome.PUBLISHED


def test_a_run_with_too_many_errors_stays_one(run: RunFolder) -> None:
    run.claim(begun())
    run.finish(begun("published_with_errors"), "")
    assert run.published(THESE) is Outcome.PUBLISHED_WITH_ERRORS


def test_other_settings_are_refused_with_the_difference(run: RunFolder) -> None:
    run.claim(begun())
    for _ in range(2):
        with pytest.raises(SettingsError) as caught:
            run.published({"k": 5, "input": ["/photos"], "limit": 3})
        assert (
            "--run-id nightly belongs to a run with other settings: k was 9, is 5, limit was"
            in (str(caught.value))
        )
        run.finish(begun("published"), "")


def test_an_unfinished_run_is_refused(run: RunFolder) -> None:
    run.claim(begun())
    with pytest.raises(SettingsError, match=r"is unfinished \(outcome 'running'\)"):
        run.published(THESE)
    run.fail(begun("failed"))
    with pytest.raises(SettingsError, match=r"is unfinished \(outcome 'failed'\)"):
        run.published(THESE)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": 1}'])
def test_a_damaged_run_is_refused_in_one_line(run: RunFolder, text: str) -> None:
    write_object(f"{run.uri}/run.json", text.encode(), OPTIONS)
    with pytest.raises(SettingsError) as caught:
        run.published(THESE)
    assert "\n" not in str(caught.value)


def test_a_released_name_is_free_again(run: RunFolder) -> None:
    run.claim(begun())
    write_object(f"{run.manifest}/part-00000.parquet", b"x", OPTIONS)
    run.release()
    assert list_folder(run.uri, OPTIONS) == []
    run.claim(begun())


def test_a_finished_run_is_whole(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.claim(begun())
    write_object(f"{run.parts}/0.parquet", b"x", OPTIONS)
    order: list[str] = []
    from ufd_ray.storage import objects

    real = objects._write_file

    def noted(path: Path, data: bytes, if_absent: bool) -> None:
        order.append(path.name)
        real(path, data, if_absent)

    monkeypatch.setattr(objects, "_write_file", noted)
    run.finish(begun("published"), "ü \udcff")
    assert sorted(order[:-1]) == ["report.html", "run.json"]
    assert order[-1] == "_SUCCESS"
    names = [uri.removeprefix(run.uri + "/") for uri in list_folder(run.uri, OPTIONS)]
    assert names == ["_SUCCESS", "report.html", "run.json"]
    assert json.loads(Path(run.uri, "run.json").read_text())["outcome"] == "published"
    assert Path(run.uri, "report.html").read_text(encoding="utf-8") == "ü \\udcff"


def test_a_root_that_cannot_be_written_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (f"{tmp_path}/file", "/proc/nowhere"):
        run = RunFolder(root, "r", OPTIONS)
        with pytest.raises(SettingsError, match=f"--output {root}: not writable"):
            run.claim(begun())


def test_ids_of_runs_sort_by_time_and_differ() -> None:
    ids = {new_run_id() for _ in range(50)}
    assert len(ids) == 50
    for name in ids:
        assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", name)


def test_the_time_is_utc() -> None:
    then = datetime.fromisoformat(utc_now())
    assert then.tzinfo is not None
    assert abs((datetime.now(UTC) - then).total_seconds()) < 60
