from __future__ import annotations

import csv
import io
import itertools
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.storage.runs.published import publish
from tests.unit.storage.runs.whole import publish_whole
from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage import (
    Choice,
    StorageOptions,
    export_current,
    export_runs,
    image_id,
    write_current,
)
from ufd_ray.storage.runs import export
from ufd_ray.storage.runs.marks import MARKED
from ufd_ray.storage.runs.marks import marked as marked_in_arrow

OPTIONS = StorageOptions()
DATABASE = duckdb.connect()
FLAGGED = Choice()
EVERY = Choice(verdicts=("fake", "unsure", "real"))


def fake(uri: str, score: float | None, **more: Any) -> dict[str, Any]:
    return {"uri": uri, "verdict": "fake", "probe_score": score, "nn_vote": 0.25, **more}


def exported(
    root: Path, *run_ids: str, choice: Choice = FLAGGED, ending: str = "jsonl"
) -> list[dict[str, Any]]:
    to = root / "queue" / f"flagged.{ending}"
    if run_ids:
        export_runs(str(root), run_ids, choice, str(to), OPTIONS)
    else:
        export_current(str(root), choice, str(to), OPTIONS)
    with to.open(encoding="utf-8", newline="") as file:
        if ending == "csv":
            return list(csv.DictReader(file))
        return [json.loads(line) for line in file]


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["uri"] for row in rows]


def test_the_flagged_images_highest_score_first_then_by_id(tmp_path: Path) -> None:
    same = sorted("bcd", key=image_id)
    rows = [fake("low", 0.6), *(fake(name, 0.7) for name in same[::-1]), fake("high", 0.9)]
    others = [{"uri": "real", "verdict": "real"}, {"uri": "x", "status": "error"}]
    publish_whole(tmp_path, "r", [*others, *rows])
    found = exported(tmp_path, "r")
    assert names(found) == ["high", *same, "low"]
    assert found[0] == {
        "image_id": image_id("high"),
        "uri": "high",
        "member": None,
        "verdict": "fake",
        "score": 0.9,
        "decided_by": "probe",
        "probe_score": 0.9,
        "nn_vote": 0.25,
        "nn_margin": None,
        "content_hash": None,
        "duplicate_of": None,
        "num_names": 1,
        "run_id": "r",
        "detector_id": "detector",
    }
    assert exported(tmp_path, "r", ending="csv")[0] == {
        name: "" if value is None else str(value) for name, value in found[0].items()
    }


def test_who_decided_is_what_is_sorted_by(tmp_path: Path) -> None:
    rows = [fake("a", 0.9, member="m"), fake("b", 0.1) | {"nn_vote": 1.0}]
    publish_whole(tmp_path, "r", rows, facts={"detectors": {"decided_by": "neighbors"}})
    found = exported(tmp_path, "r")
    assert [(row["uri"], row["score"]) for row in found] == [("b", 1.0), ("a", 0.25)]
    assert found[1]["member"] == "m"


def test_a_margin_sorts_on_its_own_scale(tmp_path: Path) -> None:
    rows = [fake("a", 0.9, nn_margin=-0.25), fake("b", 0.1, nn_margin=0.125)]
    rows += [{"uri": "c", "verdict": "unsure", "nn_margin": -0.5}]
    publish_whole(tmp_path, "r", rows, facts={"detectors": {"decided_by": "margin"}})
    found = exported(tmp_path, "r", choice=Choice(("fake", "unsure"), min_score=-0.25))
    assert [(row["uri"], row["score"]) for row in found] == [("b", 0.125), ("a", -0.25)]


def test_verdicts_and_a_lowest_score_and_a_limit(tmp_path: Path) -> None:
    rows = [fake("a", 0.9), fake("b", 0.8), fake("none", None)]
    rows += [{"uri": "c", "verdict": "unsure", "probe_score": 0.5}]
    rows += [{"uri": "d", "verdict": "real", "probe_score": 0.1}, {"uri": "e", "status": "error"}]
    publish_whole(tmp_path, "r", rows)
    assert names(exported(tmp_path, "r", choice=EVERY)) == ["a", "b", "c", "d", "none"]
    assert names(exported(tmp_path, "r", choice=Choice(("unsure",)))) == ["c"]
    # As it is written: 0.9 in float32 is less than 0.9.
    assert names(exported(tmp_path, "r", choice=Choice(min_score=0.9))) == ["a"]
    assert names(exported(tmp_path, "r", choice=Choice(limit=1))) == ["a"]


def test_of_the_same_bytes_one_name_counts(tmp_path: Path) -> None:
    first = image_id("b")
    rows = [fake("b", 0.9, content_hash="x")]
    rows += [fake(name, 0.9, content_hash="x", duplicate_of=first) for name in "ac"]
    publish_whole(tmp_path, "r", [*rows, fake("d", 0.9, content_hash="y")])
    found = exported(tmp_path, "r")
    assert {row["uri"]: row["num_names"] for row in found} == {"b": 3, "d": 1}
    every = exported(tmp_path, "r", choice=Choice(with_duplicates=True))
    assert sorted(names(every)) == ["a", "b", "c", "d"]
    made = export_runs(str(tmp_path), ["r"], Choice(), str(tmp_path / "o.csv"), OPTIONS)
    assert (made.num_images, made.num_duplicates, made.num_detectors) == (2, 2, 1)


def test_a_copy_whose_first_is_another_image_by_now_is_not_lost(tmp_path: Path) -> None:
    copy = fake("copy", 0.9, content_hash="x", duplicate_of=image_id("a"))
    publish_whole(tmp_path, "r", [fake("a", 0.9, content_hash="x"), copy])
    publish_whole(tmp_path, "s", [{"uri": "a", "verdict": "real", "content_hash": "y"}], day=1)
    write_current(str(tmp_path), 100, OPTIONS)
    assert names(exported(tmp_path)) == names(exported(tmp_path, "r", "s")) == ["copy"]


def test_of_several_runs_the_newest_row_counts(tmp_path: Path) -> None:
    publish_whole(tmp_path, "z", [fake("a", 0.9), fake("b", 0.8)])
    publish_whole(tmp_path, "b", [{"uri": "a", "verdict": "real"}, fake("c", 0.7)], day=1)
    publish_whole(tmp_path, "left-out", [fake("b", 0.1)], day=2)
    found = exported(tmp_path, "z", "b")
    assert [(row["uri"], row["run_id"]) for row in found] == [("b", "z"), ("c", "b")]


def test_nothing_flagged_is_a_table_of_no_rows(tmp_path: Path) -> None:
    publish_whole(tmp_path, "r", [{"uri": "a", "verdict": "real"}])
    assert exported(tmp_path, "r") == exported(tmp_path, "r", ending="csv") == []
    assert (tmp_path / "queue" / "flagged.csv").read_text().startswith("image_id,")


SIGNS = "=+-@＝＋－＠"
CUTS = ",;|\t "
LINK = """HYPERLINK("http://x","y")"""
HOSTILE = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "'=1", "'", "\x01=1"),
    *('a,b"c', "plain", "é=1", "a\nb", "a'b", "https://x/?=1", "a;b - c.jpg", "a;'=1", "a;''"),
    *("s3://b/a;=cmd|'/C calc'!A0;b.jpg", f"a,={LINK}", f'a;"={LINK}', "a;;\t\r=1", "a\n\n@1"),
]


def had_back(marked: str) -> str:
    """As docs/housekeeping.md tells it."""
    return re.sub(r"""(^|[\x00-\x20\x7f-\xa0;,|"])'""", r"\1", marked)


def cells(text: str) -> list[str]:
    """Whatever a spreadsheet may make of a CSV file, without the white space before it."""
    found = []
    for cut, quoting in itertools.product(CUTS, (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)):
        with io.StringIO(text, newline="") as file:
            for row in csv.reader(file, delimiter=cut, quoting=quoting):
                found += [re.sub(r"""^[\x00-\x20\x7f-\xa0"]+""", "", cell) for cell in row]
    return found


def test_no_name_is_a_formula_in_a_spreadsheet_and_each_can_be_had_back(tmp_path: Path) -> None:
    publish_whole(tmp_path, "r", [fake(name, 0.9, member=name) for name in HOSTILE])
    exact, marked = exported(tmp_path, "r"), exported(tmp_path, "r", ending="csv")
    for column in ("uri", "member"):
        assert sorted(row[column] for row in exact) == sorted(HOSTILE)
        assert sorted(had_back(row[column]) for row in marked) == sorted(HOSTILE)
    text = (tmp_path / "queue" / "flagged.csv").read_bytes().decode()
    assert not {cell for cell in cells(text) if cell.startswith(tuple(SIGNS))}
    (row,) = (row for row in marked if "calc" in row["uri"])
    assert row["uri"] == "s3://b/a;'=cmd|'/C calc'!A0;b.jpg".replace("|'", "|''")
    assert {"a;b - c.jpg".replace("- ", "'- "), "plain", "https://x/?=1"} <= set(names(marked))


some_text = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
hostile_text = st.text(st.sampled_from([*SIGNS, *CUTS, *"\r\n\"'\xa0\x7fa"]) | some_text)


@given(hostile_text)
@example('a;"=1')
@settings(max_examples=300)
def test_wherever_a_line_is_cut_no_cell_is_a_formula(name: str) -> None:
    sql = f"SELECT {MARKED.format('$1')}"
    ((marked,),) = DATABASE.execute(sql, [name]).fetchall()
    assert marked_in_arrow(pa.array([name, None])).to_pylist() == [marked, None]
    assert had_back(marked) == name
    quoted = marked.replace('"', '""')
    assert not [c for c in cells(f'id,"{quoted}",x\r\n') if c.startswith(tuple(SIGNS))]


@given(st.text(some_text, min_size=1))
@settings(max_examples=10)
def test_any_name_comes_back(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        publish_whole(Path(folder), "r", [fake(name, 0.9)])
        assert names(exported(Path(folder), "r")) == [name]
        (row,) = exported(Path(folder), "r", ending="csv")
    assert had_back(row["uri"]) == name


def two_detectors(root: Path) -> None:
    publish_whole(root, "old", [fake("a", 0.99), fake("b", 0.98)], detector_id="one")
    publish_whole(root, "new", [fake("c", 0.6)], day=1, detector_id="two")
    write_current(str(root), 100, OPTIONS)


def test_scores_of_two_detectors_are_not_compared(tmp_path: Path) -> None:
    two_detectors(tmp_path)
    for found in (exported(tmp_path), exported(tmp_path, "old", "new")):
        assert [(row["uri"], row["detector_id"]) for row in found] == [
            ("c", "two"),
            ("a", "one"),
            ("b", "one"),
        ]
    for choice in (Choice(min_score=0.5), Choice(limit=1)):
        with pytest.raises(SettingsError, match=r"no common scale; .* --detector-id: 'two', 'one'"):
            exported(tmp_path, choice=choice)
    chosen = Choice(limit=1, detector_id="one")
    assert names(exported(tmp_path, choice=chosen)) == ["a"]
    with pytest.raises(SettingsError, match="--detector-id three: no row is that one's"):
        exported(tmp_path, choice=Choice(detector_id="three"))


def test_current_has_to_be_whole_and_of_runs_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--current: .*current is not complete"):
        exported(tmp_path)
    two_detectors(tmp_path)
    (tmp_path / "runs" / "old" / "_SUCCESS").unlink()
    with pytest.raises(SettingsError, match="rows of run old, which is not published"):
        exported(tmp_path)
    (tmp_path / "current" / "_SUCCESS").unlink()
    with pytest.raises(SettingsError, match=r"--current: .*current is not complete"):
        exported(tmp_path)
    assert not (tmp_path / "queue").exists()


def test_current_that_is_made_anew_meanwhile_is_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_detectors(tmp_path)
    choose = export._choose

    record = tmp_path / "current" / "current.json"

    def meanwhile(*args: Any) -> None:
        choose(*args)
        record.write_text(json.dumps(json.loads(record.read_text()) | {"made_at": "now"}))

    monkeypatch.setattr(export, "_choose", meanwhile)
    with pytest.raises(StorageError, match="was made anew while it was read; start again"):
        exported(tmp_path)
    assert not (tmp_path / "queue").exists()


@pytest.mark.parametrize(
    "runs", [None, 1, {}, [1], [{"run_id": "old"}], [{"run_id": [], "num_rows": 1}], [["old"]]]
)
def test_current_that_does_not_say_whose_rows_it_has_is_refused(
    tmp_path: Path, runs: object
) -> None:
    two_detectors(tmp_path)
    record = tmp_path / "current" / "current.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"runs": runs}))
    with pytest.raises(SettingsError, match=r"current.json does not say which runs .*make it anew"):
        exported(tmp_path)


def test_runs_that_are_not_published_are_refused(tmp_path: Path) -> None:
    publish(tmp_path, "half", [], success=False)
    with pytest.raises(SettingsError, match="--run-id half: no published run"):
        exported(tmp_path, "half")
    publish(tmp_path, "old", [fake("a", 0.9)])
    with pytest.raises(SettingsError, match=r"run.json does not say which detector decided"):
        exported(tmp_path, "old")


@pytest.mark.parametrize("name", ["runs/x.csv", "runs/r/scores/x.jsonl", "current/x.csv"])
def test_our_own_folders_hold_nothing_else(tmp_path: Path, name: str) -> None:
    publish_whole(tmp_path, "r", [fake("a", 0.9)])
    with pytest.raises(SettingsError, match="holds nothing but our own files"):
        export_runs(str(tmp_path), ["r"], Choice(), str(tmp_path / name), OPTIONS)


def test_what_cannot_be_read_leaves_the_last_export_as_it_was(tmp_path: Path) -> None:
    folder = publish_whole(tmp_path, "r", [fake("a", 0.9)])
    exported(tmp_path, "r", ending="csv")
    to = tmp_path / "queue" / "flagged.csv"
    before = to.read_bytes()
    file = folder / "scores" / "part-00000.parquet"
    file.unlink()
    with pytest.raises(StorageError, match=r"cannot be read: .*if runs were pruned meanwhile"):
        exported(tmp_path, "r", ending="csv")
    file.write_bytes(b"PAR1")
    with pytest.raises(StorageError, match="published scores cannot be read"):
        exported(tmp_path, "r", ending="csv")
    assert to.read_bytes() == before
    assert list(to.parent.iterdir()) == [to]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    publish_whole(tmp_path, "r", [fake("a", 0.9)])
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        export_runs(str(tmp_path), ["r"], Choice(), str(tmp_path / "file" / "x.csv"), OPTIONS)
