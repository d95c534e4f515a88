from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.storage.runs.published import publish
from tests.unit.storage.runs.whole import change, described, publish_whole
from ufd_ray.errors import SettingsError
from ufd_ray.storage import (
    StorageOptions,
    image_id,
    verify_current,
    verify_run,
    verify_runs,
    write_current,
)

OPTIONS = StorageOptions()
ROWS: list[dict[str, Any]] = [
    {"uri": "a", "verdict": "fake", "content_hash": "aa"},
    {"uri": "b", "verdict": "real"},
    {"uri": "c", "status": "error", "error_code": "timeout"},
    {"uri": "d", "verdict": "fake", "content_hash": "aa", "duplicate_of": image_id("a")},
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return publish_whole(tmp_path, "nightly", ROWS, embeddings=True)


def faults(root: Path) -> list[str]:
    return list(verify_run(str(root), "nightly", OPTIONS).faults)


def rewrite(run: Path, name: str, alter: Callable[[Any], Any]) -> None:
    """Change a file so that its record goes along with it."""
    pq.write_table(alter(pq.read_table(run / name)), run / name)
    files = json.loads((run / "run.json").read_text())["files"]
    change(run, files=[described(run, run / file["name"]) for file in files])


def test_a_sound_run(tmp_path: Path, run: Path) -> None:
    found = verify_run(str(tmp_path), "nightly", OPTIONS)
    assert found.faults == ()
    assert found.lines() == ["run nightly: sound: 3 files, 4 rows"]


def test_no_images_are_sound(tmp_path: Path) -> None:
    publish_whole(tmp_path, "nightly", [])
    assert faults(tmp_path) == []


def test_pruned_embeddings_are_sound_once_they_are_gone(tmp_path: Path, run: Path) -> None:
    files = json.loads((run / "run.json").read_text())["files"]
    scores = [file for file in files if file["name"].startswith("scores/")]
    change(run, files=scores, embeddings_pruned={"at": "…"})
    assert faults(tmp_path) == [
        "embeddings/part-00000.parquet: run.json does not name it any more: let jobs/prune.py come"
        " to its end"
    ]
    (run / "embeddings" / "part-00000.parquet").unlink()
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    ["scores/part-00000.parquet", "scores/part-00001.parquet", "embeddings/part-00000.parquet"],
)
def test_one_bit_is_noticed_and_so_is_a_file_that_is_gone(
    tmp_path: Path, run: Path, name: str
) -> None:
    data = bytearray((run / name).read_bytes())
    data[len(data) // 2] ^= 1
    (run / name).write_bytes(data)
    (fault,) = faults(tmp_path)
    assert fault.startswith(f"{name}: ")
    assert "of SHA-256" in fault
    (run / name).unlink()
    assert faults(tmp_path) == [f"{name}: it is gone"]


def test_files_that_nobody_named_are_told_where_readers_would_read_them(
    tmp_path: Path, run: Path
) -> None:
    (run / "scores" / "part-00009.parquet").write_bytes(b"x")
    (run / "notes.txt").write_text("mine")
    (fault,) = faults(tmp_path)
    assert fault.startswith("scores/part-00009.parquet: run.json does not name it")


def test_what_a_write_that_was_cut_off_has_left_is_no_fault(tmp_path: Path, run: Path) -> None:
    for folder in ("scores", "embeddings"):
        (run / folder / f".writing-{'0f' * 16}").write_bytes(b"x")
    assert faults(tmp_path) == []
    (run / "scores" / ".writing-mine").write_bytes(b"x")
    assert len(faults(tmp_path)) == 1


def test_a_strangers_name_is_one_plain_line(tmp_path: Path, run: Path) -> None:
    (run / "scores" / "\x1b[2Jé\nrun nightly: sound\u202e.parquet").write_bytes(b"x")
    found = verify_run(str(tmp_path), "nightly", OPTIONS)
    assert found.lines()[1] == (
        r"  scores/\x1b[2Jé\nrun nightly: sound\u202e.parquet: run.json does not name it, yet"
        " readers of the folder would read it"
    )


def test_rows_are_held_against_the_manifest(tmp_path: Path, run: Path) -> None:
    def swap(table: Any) -> Any:
        ids = pa.array([image_id(name) for name in ("b", "b", "z")])
        return table.set_column(0, pa.field("image_id", pa.string(), nullable=False), ids)

    rewrite(run, "scores/part-00000.parquet", swap)
    lost = ", ".join(sorted([image_id("a"), image_id("c")]))
    assert faults(tmp_path) == [
        f"1 images double ({image_id('b')})",
        f"1 images foreign ({image_id('z')})",
        f"2 images lost ({lost})",
    ]


def test_many_lost_images_are_named_by_three(tmp_path: Path, run: Path) -> None:
    rewrite(run, "scores/part-00000.parquet", lambda table: table.slice(0, 0))
    rewrite(run, "scores/part-00001.parquet", lambda table: table.slice(0, 0))
    found = faults(tmp_path)
    assert found[0].startswith("4 images lost (")
    assert found[0].count(", ") == 3
    assert found[0].endswith(", …)")
    assert "counts.images: 0 in the rows; run.json says 4" in found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("images", 5),
        ("by_status", {"scored": 4}),
        ("by_verdict", {"fake": 1, "real": 2}),
        ("by_error_code", {"network": 1}),
        ("duplicates", 0),
    ],
)
def test_each_count_is_compared(tmp_path: Path, run: Path, name: str, value: object) -> None:
    counts = json.loads((run / "run.json").read_text())["counts"]
    change(run, counts=counts | {name: value})
    (fault,) = faults(tmp_path)
    assert fault.startswith(f"counts.{name}: ")


def test_a_column_of_another_type_or_name_is_told(tmp_path: Path, run: Path) -> None:
    def widen(table: Any) -> Any:
        place = table.column_names.index("width")
        return table.set_column(place, "width", pa.nulls(len(table), pa.int64()))

    rewrite(run, "scores/part-00001.parquet", widen)
    assert faults(tmp_path) == [
        "scores/part-00001.parquet: column width (int64), where width (int32) has to be"
    ]
    rewrite(run, "scores/part-00001.parquet", lambda table: table.select(["image_id", "uri"]))
    (fault,) = faults(tmp_path)
    assert fault.endswith("2 columns, where at least 24 have to be")


def test_rows_and_manifest_of_another_number(tmp_path: Path, run: Path) -> None:
    files = json.loads((run / "run.json").read_text())["files"]
    change(run, files=[file | {"num_rows": 7} for file in files], manifest={"num_images": 9})
    assert faults(tmp_path) == [
        "scores/part-00000.parquet: 3 rows; run.json says 7",
        "scores/part-00001.parquet: 1 rows; run.json says 7",
        "embeddings/part-00000.parquet: 1 rows; run.json says 7",
        "manifest: 4 images; run.json says 9",
    ]


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({"outcome": "failed"}, "run.json says outcome 'failed', not a published one"),
        ({"outcome": "pruned"}, "is being deleted: let jobs/prune.py come to its end"),
        ({"files": None}, "run.json does not say which files it has"),
        ({"files": [{"name": "scores/../../x.parquet"}]}, "run.json names a file that cannot be"),
        ({"files": ["x"]}, "run.json names a file that cannot be: None"),
        ({"files": []}, "run.json names no file of scores"),
        ({"counts": None}, "counts.images: 4 in the rows; run.json says None"),
        ({"format_version": 99}, "run.json is of format version 99"),
    ],
)
def test_records_that_cannot_be_gone_by(
    tmp_path: Path, run: Path, facts: dict[str, Any], fault: str
) -> None:
    change(run, **facts)
    assert any(fault in found for found in faults(tmp_path))


def test_what_is_not_published_is_not_sound(tmp_path: Path, run: Path) -> None:
    (run / "_SUCCESS").unlink()
    assert faults(tmp_path) == ["there is no _SUCCESS: it is not published"]
    (run / "run.json").unlink()
    assert faults(tmp_path)[1:] == ["there is no run.json"]


def test_a_manifest_that_cannot_be_read(tmp_path: Path, run: Path) -> None:
    (run / "manifest" / "part-00000.parquet").write_bytes(b"PAR1")
    (fault,) = faults(tmp_path)
    assert fault.startswith("manifest: ")


def test_all_published_runs_or_those_that_are_named(tmp_path: Path, run: Path) -> None:
    change(publish_whole(tmp_path, "bad", ROWS), counts={})
    publish(tmp_path, "half", [], success=False)
    found = {one.name: bool(one.faults) for one in verify_runs(str(tmp_path), [], OPTIONS)}
    assert found == {"run bad": True, "run nightly": False}
    named = list(verify_runs(str(tmp_path), ["half", "nowhere"], OPTIONS))
    assert [one.name for one in named if one.faults] == ["run half", "run nowhere"]


def test_a_run_that_is_deleted_meanwhile_is_no_fault(tmp_path: Path, run: Path) -> None:
    publish_whole(tmp_path, "a", ROWS)
    found = verify_runs(str(tmp_path), [], OPTIONS)
    assert next(found).name == "run a"
    for file in (run / "_SUCCESS", run / "run.json"):
        file.unlink()
    assert list(found) == []


def test_no_run_at_all_is_an_unusable_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"--output {tmp_path}: no published run below"):
        list(verify_runs(str(tmp_path), [], OPTIONS))


def test_current_is_held_against_its_own_record(tmp_path: Path, run: Path) -> None:
    publish_whole(tmp_path, "second", [ROWS[0], {"uri": "e", "verdict": "real"}], day=1)
    write_current(str(tmp_path), 3, OPTIONS)
    found = verify_current(str(tmp_path), OPTIONS)
    assert found.lines() == ["current: sound: 2 files, 5 rows"]

    record = tmp_path / "current" / "current.json"
    document = json.loads(record.read_text())
    document["counts"]["images"] = 4
    document["runs"][0]["num_rows"] += 1
    record.write_text(json.dumps(document))
    assert verify_current(str(tmp_path), OPTIONS).faults == (
        "counts.images: 5 in the rows; current.json says 4",
        "3 rows of run nightly, where current.json says 4",
    )
    first = tmp_path / "current" / "scores" / "part-00000.parquet"
    table = pq.read_table(first)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), first)
    document["files"][0] = described(tmp_path / "current", first)
    record.write_text(json.dumps(document))
    faults = verify_current(str(tmp_path), OPTIONS).faults
    assert faults[0].startswith("1 images double (")


@pytest.mark.parametrize("runs", [None, 1, [1], [{"run_id": "nightly"}]])
def test_current_has_to_say_whose_rows_it_has(tmp_path: Path, run: Path, runs: object) -> None:
    write_current(str(tmp_path), 3, OPTIONS)
    record = tmp_path / "current" / "current.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"runs": runs}))
    said = "current.json does not say which runs it has rows of"
    assert verify_current(str(tmp_path), OPTIONS).faults == (said,)


def test_rows_without_an_id_are_nobodys(tmp_path: Path, run: Path) -> None:
    def alter(table: Any) -> Any:
        nobody = table.schema.field("image_id").with_nullable(True)
        return table.set_column(0, nobody, pa.nulls(len(table), nobody.type))

    (name,) = (path.name for path in (run / "scores").iterdir() if "00000" in path.name)
    rewrite(run, f"scores/{name}", alter)
    assert any("foreign (no id)" in fault for fault in faults(tmp_path))


def test_without_current_that_is_said(tmp_path: Path) -> None:
    assert verify_current(str(tmp_path), OPTIONS).faults[1:] == ("there is no current.json",)
