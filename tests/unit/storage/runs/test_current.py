from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.storage.runs.published import publish
from ufd_ray.errors import LeaseError, SettingsError, StorageError
from ufd_ray.schema import SCORES
from ufd_ray.storage import Lease, StorageOptions, write_current
from ufd_ray.storage.runs import current

OPTIONS = StorageOptions()
GUIDE = Path(__file__).parents[4] / "docs" / "current.md"
NEIGHBOR = {"image_id": "0" * 32, "uri": "n", "label": 1, "source": None, "similarity": 0.5}

row = st.fixed_dictionaries(
    {
        "uri": st.sampled_from(["a", "b", "c.tar"]),
        "member": st.sampled_from([None, "1"]),
        "status": st.sampled_from(["scored", "error"]),
        "verdict": st.sampled_from(["real", "fake", None]),
        "probe_score": st.floats(0, 1, width=32),
        "neighbors": st.sampled_from([None, [], [NEIGHBOR]]),
    }
)


def identity(row: Mapping[str, Any]) -> tuple[str, str | None]:
    return row["uri"], row["member"]


run = st.fixed_dictionaries(
    {
        "rows": st.lists(row, max_size=6, unique_by=identity),
        "minute": st.integers(0, 2),
        "success": st.sampled_from([True, True, False]),
    }
)


def stored(root: Path) -> Any:
    files = sorted((root / "current" / "scores").iterdir())
    return pa.concat_tables([pq.read_table(file) for file in files])


@given(st.lists(run, min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=60)
def test_each_image_has_its_newest_row(history: list[dict[str, Any]], rows_per_file: int) -> None:
    newest: dict[Any, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        publish(root, "run-00", [], minute=-1)  # so that there is always one
        for number, past in enumerate(history):
            publish(root, f"run-{number}", **past)
        made = write_current(folder, rows_per_file, OPTIONS)
        found = stored(root).to_pylist()
        document = json.loads((root / "current" / "current.json").read_text())
    for number, past in sorted(enumerate(history), key=lambda pair: (pair[1]["minute"], pair[0])):
        if past["success"]:
            newest |= {identity(row): row | {"run_id": f"run-{number}"} for row in past["rows"]}
    assert len(found) == len(newest) == made.num_images
    for got in found:
        assert got.items() >= newest[identity(got)].items()
    counts = document["counts"]
    assert counts["images"] == len(newest)
    assert counts["by_status"] == Counter(row["status"] for row in newest.values())
    verdicts = Counter(row["verdict"] for row in newest.values() if row["verdict"])
    assert counts["by_verdict"] == verdicts
    rows_of = {run["run_id"]: run["num_rows"] for run in document["runs"]}
    assert Counter(rows_of) == Counter(row["run_id"] for row in newest.values()) + Counter()


def three_runs(root: Path) -> None:
    note, size = pa.field("note", pa.string()), pa.field("size", pa.int64())
    rows = [{"uri": f"{n}", "verdict": "real", "neighbors": [NEIGHBOR]} for n in range(8)]
    noted = [row | {"note": "first"} for row in rows]
    publish(root, "b-first", noted, further=[note])
    publish(root, "z", rows[6:], minute=1, detector_id=None)
    sized = [row | {"size": 1, "status": "error", "verdict": None} for row in rows[:3]]
    publish(root, "a-last", sized, minute=1, further=[size], detector_id="other")
    publish(root, "half", rows, minute=2, success=False)


def test_the_columns_of_all_runs(tmp_path: Path) -> None:
    three_runs(tmp_path)
    write_current(str(tmp_path), 100, OPTIONS)
    table = stored(tmp_path)
    own = [*(field.name for field in SCORES), "run_id", "detector_id"]
    assert table.column_names == [*own, "note", "size"]
    assert table.schema.types[: len(SCORES)] == [field.type for field in SCORES]
    rows = {row["uri"]: row for row in table.to_pylist()}
    picked = [[rows[uri][n] for n in ("run_id", "detector_id", "note", "size")] for uri in "047"]
    assert picked == [
        ["a-last", "other", None, 1],
        ["b-first", "detector", "first", None],
        ["z", "", None, None],
    ]


def test_types_that_disagree_become_text(tmp_path: Path) -> None:
    kinds = [pa.int64(), pa.float64(), pa.list_(pa.int64()), pa.binary(), pa.string()]
    values = [7, 0.5, [1, None], b"\xff", "word"]
    for number, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        rows = [{"uri": f"{number}", "x": value}, {"uri": f"{number}-null"}]
        publish(tmp_path, f"run-{number}", rows, minute=number, further=[pa.field("x", kind)])
    made = write_current(str(tmp_path), 100, OPTIONS)
    assert made.columns.as_text == ("x",)
    texts = stored(tmp_path)["x"].to_pylist()
    assert texts == [
        "7",
        None,
        "0.5",
        None,
        "[1, null]",
        None,
        "\"b'\\\\xff'\"",
        None,
        "word",
        None,
    ]


def test_a_manifest_column_of_our_name_is_left_out(tmp_path: Path) -> None:
    field = pa.field("run_id", pa.int64())
    publish(tmp_path, "run", [{"uri": "a", "run_id": 1}], further=[field])
    assert write_current(str(tmp_path), 100, OPTIONS).columns.left_out == ("run_id",)
    assert stored(tmp_path)["run_id"].to_pylist() == ["run"]


def test_made_again_nothing_of_the_earlier_is_left(tmp_path: Path) -> None:
    publish(tmp_path, "run", [{"uri": f"{n}"} for n in range(5)])
    write_current(str(tmp_path), 1, OPTIONS)
    write_current(str(tmp_path), 4, OPTIONS)
    folder = tmp_path / "current"
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.*"))
    assert names == ["current.json", "scores/part-00000.parquet", "scores/part-00001.parquet"]
    assert (folder / "_SUCCESS").exists()
    for file in json.loads((folder / "current.json").read_text())["files"]:
        data = (folder / file["name"]).read_bytes()
        assert (file["sha256"], file["num_bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))


def test_unreadable_scores_leave_no_success(tmp_path: Path) -> None:
    publish(tmp_path, "run", [{"uri": "a"}])
    write_current(str(tmp_path), 1, OPTIONS)
    file = publish(tmp_path, "bad", [{"uri": "b"}], minute=1) / "scores" / "part-00000.parquet"
    rows = pq.read_table(file)
    place = rows.column_names.index("width")
    pq.write_table(rows.set_column(place, "width", pa.array(["wide"])), file)
    with pytest.raises(StorageError, match=r"published scores cannot be read: .*wide"):
        write_current(str(tmp_path), 1, OPTIONS)
    assert not (tmp_path / "current" / "_SUCCESS").exists()


def test_a_root_without_runs_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, "half", [], success=False)
    with pytest.raises(SettingsError, match=f"--output {tmp_path}: no published run below"):
        write_current(str(tmp_path), 1, OPTIONS)
    assert not (tmp_path / "current").exists()


def test_no_rows_are_one_file(tmp_path: Path) -> None:
    publish(tmp_path, "run", [])
    assert write_current(str(tmp_path), 1, OPTIONS).num_images == 0
    assert len(stored(tmp_path)) == 0


def test_the_query_of_the_guide_gives_the_same_rows(tmp_path: Path) -> None:
    three_runs(tmp_path)
    write_current(str(tmp_path), 100, OPTIONS)
    (query,) = re.findall(r"```sql\n(WITH .*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert query.count("s3://scores") == 3
    with duckdb.connect() as database:
        table = database.sql(query.replace("s3://scores", str(tmp_path))).to_arrow_table()
    expected = stored(tmp_path)
    assert set(table.column_names) == set(expected.column_names)
    queried = table.select(expected.column_names).sort_by("image_id").to_pylist()
    assert queried == expected.sort_by("image_id").to_pylist()


def test_of_two_at_once_the_second_leaves_all_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, "a", [{"uri": "a"}])
    write_current(str(tmp_path), 1, OPTIONS)
    (tmp_path / "current" / "_SUCCESS").unlink()  # as whoever is at it does first
    monkeypatch.setattr(current, "_LEASE_S", 0.2)
    with (
        Lease(str(tmp_path / "current"), OPTIONS, 1.0),
        pytest.raises(LeaseError, match=r"is at work on .*/current"),
    ):
        write_current(str(tmp_path), 1, OPTIONS)
    assert not (tmp_path / "current" / "_SUCCESS").exists()
    assert stored(tmp_path)["uri"].to_pylist() == ["a"]
