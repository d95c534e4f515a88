from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.outcome import Outcome
from ufd_ray.storage import RunFolder, StorageOptions, list_folder, new_run_id, utc_now
from ufd_ray.storage.objects import write_object

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
    assert run.checkpoint == f"{tmp_path}/runs/nightly/checkpoint"


def test_an_unknown_name_is_free(run: RunFolder) -> None:
    assert run.published(THESE) is None
    assert run.earlier(THESE) is None


def test_a_run_begins_with_nothing_that_an_earlier_try_has_left(run: RunFolder) -> None:
    for folder in (run.manifest, run.parts, run.checkpoint):
        write_object(f"{folder}/part-00007.parquet", b"x", OPTIONS)
    run.begin(begun())
    names = [uri.removeprefix(run.uri + "/") for uri in list_folder(run.uri, OPTIONS)]
    assert names == ["run.json"]


def test_a_published_run_with_the_same_settings_is_done(run: RunFolder) -> None:
    run.begin(begun())
    run.finish(begun("published"), "<p>report</p>")
    run.seal()
    assert run.published(THESE) is Outcome.PUBLISHED
    assert run.published(dict(reversed(THESE.items()))) is Outcome.PUBLISHED


def test_a_run_that_is_being_deleted_is_not_gone_on_with(run: RunFolder) -> None:
    run.begin(begun("pruned"))
    for look in (run.earlier, run.published):
        with pytest.raises(SettingsError, match="--run-id nightly: that run is being deleted"):
            look(THESE)


def test_a_run_with_too_many_errors_stays_one(run: RunFolder) -> None:
    run.begin(begun())
    run.finish(begun("published_with_errors"), "")
    run.seal()
    assert run.published(THESE) is Outcome.PUBLISHED_WITH_ERRORS


def test_other_settings_are_refused_with_the_difference(run: RunFolder) -> None:
    run.begin(begun())
    for _ in range(2):
        with pytest.raises(SettingsError) as caught:
            run.published({"k": 5, "input": ["/photos"], "limit": 3})
        assert (
            "--run-id nightly belongs to a run with other settings: k was 9, is 5, limit was"
            in (str(caught.value))
        )
        run.finish(begun("published"), "")
        run.seal()


def test_what_is_not_known_yet_is_not_compared(run: RunFolder) -> None:
    run.begin(begun() | {"fingerprint": THESE | {"precision_used": "fp16"}})
    assert run.earlier(THESE) is not None
    with pytest.raises(SettingsError, match="precision_used was 'fp16', is 'fp32'"):
        run.earlier(THESE | {"precision_used": "fp32"})


@pytest.mark.parametrize("outcome", ["running", "failed"])
def test_an_unfinished_run_is_to_be_taken_up_again(run: RunFolder, outcome: str) -> None:
    run.begin(begun())
    run.record(begun(outcome))
    assert run.published(THESE) is None
    earlier = run.earlier(THESE)
    assert earlier is not None
    assert earlier["outcome"] == outcome


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format_version": 1}', '{"format_version": 1, "fingerprint": []}'],
)
def test_a_damaged_run_is_refused_in_one_line(run: RunFolder, text: str) -> None:
    write_object(f"{run.uri}/run.json", text.encode(), OPTIONS)
    with pytest.raises(SettingsError) as caught:
        run.published(THESE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        {"manifest": None},
        {"manifest": {}},
        {"manifest": {"num_images": "3"}},
        {"num_attempts": None},
        {"started_at": 5},
        {"files": {}},
        {"files": ["scores/part-00000.parquet"]},
        {"outcome": "published"},
    ],
)
def test_a_record_that_cannot_be_gone_by_is_named(run: RunFolder, damage: dict[str, Any]) -> None:
    sound = begun() | {"manifest": {"num_images": 3}, "started_at": utc_now(), "num_attempts": 1}
    run.begin(sound)
    assert run.earlier(THESE) is not None
    run.record(sound | damage)
    with pytest.raises(SettingsError, match=f"run.json is damaged; delete {run.uri}"):
        run.earlier(THESE)


def test_a_run_whose_record_is_gone_begins_unpublished(run: RunFolder) -> None:
    write_object(f"{run.uri}/_SUCCESS", b"", OPTIONS)
    run.begin(begun())
    assert run.published(THESE) is None


def test_a_released_name_is_free_again(run: RunFolder) -> None:
    run.begin(begun())
    write_object(f"{run.manifest}/part-00000.parquet", b"x", OPTIONS)
    run.release()
    assert list_folder(run.uri, OPTIONS) == []
    run.begin(begun())


def test_a_finished_run_is_whole(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.begin(begun())
    write_object(f"{run.parts}/0.parquet", b"x", OPTIONS)
    write_object(f"{run.checkpoint}/0.parquet", b"x", OPTIONS)
    order: list[str] = []
    from ufd_ray.storage import objects

    real = objects._write_file

    def noted(path: Path, data: bytes, if_absent: bool) -> None:
        order.append(path.name)
        real(path, data, if_absent)

    monkeypatch.setattr(objects, "_write_file", noted)
    run.finish(begun("published"), "ü \udcff")
    run.seal()
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
            run.begin(begun())


def test_what_an_unfinished_publication_left_is_cleared(run: RunFolder) -> None:
    run.begin(begun())
    for name in ("scores/part-00003.parquet", "embeddings/part-00003.parquet"):
        write_object(f"{run.uri}/{name}", b"x", OPTIONS)
    run.clear_published()
    names = [uri.removeprefix(run.uri + "/") for uri in list_folder(run.uri, OPTIONS)]
    assert names == ["run.json"]


def test_ids_of_runs_sort_by_time_and_differ() -> None:
    ids = {new_run_id() for _ in range(50)}
    assert len(ids) == 50
    for name in ids:
        assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", name)


def test_the_time_is_utc() -> None:
    then = datetime.fromisoformat(utc_now())
    assert then.tzinfo is not None
    assert abs((datetime.now(UTC) - then).total_seconds()) < 60
