"""Which candidates are taken: a law over all histories, held against a model in plain Python."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.storage.runs.published import NOON, publish
from ufd_ray.errors import ErrorCode, StorageError
from ufd_ray.schema import IMAGE
from ufd_ray.storage import Ledger, ManifestInfo, StorageOptions, select_images

OPTIONS = StorageOptions()
NOW = "detector-now"
Row = Mapping[str, Any]

version = st.fixed_dictionaries(
    {
        "etag": st.sampled_from(["x", "y", None]),
        "size_bytes": st.sampled_from([1, 2, None]),
        "last_modified": st.sampled_from([NOON, NOON + timedelta(microseconds=1), None]),
    }
)
image = st.fixed_dictionaries(
    {"uri": st.sampled_from(["a", "b", "c.tar"]), "member": st.sampled_from([None, "1"])}
)
outcome = st.one_of(
    st.just({"status": "scored"}),
    st.sampled_from([code.value for code in ErrorCode] + ["unheard_of"]).map(
        lambda code: {"status": "error", "error_code": code}
    ),
)
candidate = st.builds(lambda *parts: merged(*parts), image, version)
row = st.builds(lambda *parts: merged(*parts), image, version, outcome)


def merged(*parts: Row) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def identity(row: Row) -> tuple[str, str]:
    return row["uri"], row["member"] or ""


run = st.fixed_dictionaries(
    {
        "rows": st.lists(row, max_size=6, unique_by=identity),
        "minute": st.integers(0, 2),
        "detector_id": st.sampled_from([NOW, "detector-then", None]),
        "success": st.sampled_from([True, True, True, False]),
    }
)


def holds(row: Row, candidate: Row) -> bool:
    """The law: is this row about the version that is listed now, and final?"""
    permanent = {code.value for code in ErrorCode if not code.transient}
    if row["status"] == "error" and row["error_code"] not in permanent:
        return False
    if row["etag"] and candidate["etag"]:
        return bool(row["etag"] == candidate["etag"])
    dates = [(r["size_bytes"], r["last_modified"]) for r in (row, candidate)]
    return dates[0] == dates[1] and None not in dates[0]


def expected(history: list[Row], candidates: list[Row]) -> tuple[list[Any], int, int, list[str]]:
    newest: dict[Any, tuple[str, Row]] = {}
    names = {}
    numbered = sorted(enumerate(history), key=lambda pair: (pair[1]["minute"], pair[0]))
    for number, past in numbered:
        names[f"run-{number}"] = past
        if past["success"]:
            newest |= {identity(row): (f"run-{number}", row) for row in past["rows"]}
    firsts: dict[Any, Row] = {}
    for entry in candidates:
        firsts.setdefault(identity(entry), entry)
    taken, unchanged = [], []
    for name, entry in firsts.items():
        if name in newest and holds(newest[name][1], entry):
            unchanged.append(newest[name][0])
        else:
            taken.append(name)
    older = [run_id for run_id in unchanged if names[run_id]["detector_id"] != NOW]
    return taken, len(unchanged), len(older), [n for n in reversed(names) if n in older]


def select(root: Path, candidates: list[Row]) -> tuple[list[Any], ManifestInfo]:
    fields = [field for field in IMAGE if field.name != "image_id"]
    table = pa.Table.from_pylist([dict(entry) for entry in candidates], schema=pa.schema(fields))
    with select_images([table], ledger=Ledger(str(root), OPTIONS, NOW)) as selection:
        rows = [row for table in selection.tables for row in table.to_pylist()]
    assert [row["position"] for row in rows] == list(range(len(rows)))
    return [identity(row) for row in rows], selection.info


@given(st.lists(run, max_size=4), st.lists(candidate, max_size=8))
@settings(max_examples=80)
def test_taken_is_what_is_new_changed_or_may_end_otherwise(
    history: list[dict[str, Any]], candidates: list[Row]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, past in enumerate(history):
            publish(Path(folder), f"run-{number}", **past)
        names, info = select(Path(folder), candidates)
    taken, num_unchanged, num_older, older_runs = expected(history, candidates)
    assert names == taken
    assert (info.num_images, info.num_unchanged) == (len(taken), num_unchanged)
    assert (info.num_older, list(info.older_runs)) == (num_older, older_runs)
    assert info.num_repeated == len(candidates) - len({identity(entry) for entry in candidates})


def of(uri: str, **known: Any) -> dict[str, Any]:
    return (
        {"uri": uri, "member": None}
        | dict.fromkeys(["etag", "size_bytes", "last_modified"])
        | known
    )


def test_nothing_new_is_a_manifest_of_no_rows(tmp_path: Path) -> None:
    rows = [of(str(n), etag="e") for n in range(7)]
    publish(tmp_path, "before", rows, detector_id=NOW)
    names, info = select(tmp_path, rows)
    assert (names, info.num_images, info.num_unchanged, info.num_older) == ([], 0, 7, 0)


def test_without_any_run_all_is_new(tmp_path: Path) -> None:
    names, info = select(tmp_path, [of("a", etag="e"), of("b")])
    assert (len(names), info.num_unchanged, info.num_unversioned) == (2, 0, 1)


def test_a_limit_counts_what_is_new_so_that_nights_get_on(tmp_path: Path) -> None:
    rows = [of(str(n), etag="e") for n in range(9)]
    publish(tmp_path, "before", rows[:4])
    table = pa.Table.from_pylist(rows, schema=pa.schema([f for f in IMAGE if f.name != "image_id"]))
    ledger = Ledger(str(tmp_path), OPTIONS, NOW)
    with select_images([table], limit=3, ledger=ledger) as selection:
        uris = [uri for part in selection.tables for uri in part["uri"].to_pylist()]
    info = selection.info
    assert uris == ["4", "5", "6"]
    assert (info.num_images, info.num_unchanged, info.num_postponed) == (3, 4, 2)


@pytest.mark.parametrize("damage", [b"", b"PAR1 no Parquet PAR1", None])
def test_scores_that_cannot_be_read_are_said(tmp_path: Path, damage: bytes | None) -> None:
    file = publish(tmp_path, "before", [of("a", etag="e")]) / "scores" / "part-00000.parquet"
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    with pytest.raises(StorageError, match=f"{tmp_path}/runs: published scores cannot be read: "):
        select(tmp_path, [of("a", etag="e")])


def test_an_id_that_is_none_is_damage_too(tmp_path: Path) -> None:
    publish(tmp_path, "before", [of("a", etag="e") | {"image_id": "no id"}])
    with pytest.raises(StorageError, match=r"published scores cannot be read: .*no id"):
        select(tmp_path, [of("a", etag="e")])
