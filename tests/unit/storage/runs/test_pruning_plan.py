"""What a policy lets go of, and what stays: of published runs, embeddings, unfinished runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.storage.runs.pruning_cases import (
    NOW,
    OPTIONS,
    begun,
    images,
    left,
    make_silent,
    pruned,
)
from tests.unit.storage.runs.whole import at_day, change, everything, publish_whole
from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage import (
    Lease,
    PruningPolicy,
    embedding_files,
    plan_pruning,
    published_runs,
    verify_runs,
)

pytestmark = pytest.mark.usefixtures("short_leases")

TRANSIENT = {"status": "error", "error_code": "timeout"}
BROKEN = {"status": "error", "error_code": "corrupt"}
OLD = PruningPolicy(runs=30)


def test_a_run_goes_once_newer_ones_have_all_its_images(tmp_path: Path) -> None:
    publish_whole(tmp_path, "a", images("1", "2"))
    publish_whole(tmp_path, "b", images("2", "3"), day=1)
    publish_whole(tmp_path, "c", images("1"), day=90)
    said = pruned(tmp_path, OLD)
    assert left(tmp_path) == ["b", "c"]
    assert said[0] == (
        "run b: stays: of 2 images no newer run has such a row (--forget b lets it go)"
    )
    assert said[1].startswith("run a: goes (finished 100 days ago; newer runs have all its images)")
    assert said[2].startswith("1 go, ")


def test_a_young_run_stays_to_the_second(tmp_path: Path) -> None:
    publish_whole(tmp_path, "a", images("1"))
    publish_whole(tmp_path, "b", images("1"), day=1)
    pruned(tmp_path, OLD, at_day(30))
    assert left(tmp_path) == ["a", "b"]
    pruned(tmp_path, OLD, at_day(30.0001))
    assert left(tmp_path) == ["b"]


def test_a_clock_that_ran_ahead_makes_nothing_old(tmp_path: Path) -> None:
    change(publish_whole(tmp_path, "a", images("1")), finished_at=at_day(999).isoformat())
    change(publish_whole(tmp_path, "b", images("1")), finished_at="yesterday")
    change(publish_whole(tmp_path, "c", images("1")), finished_at="2026-11-24T12:00:00")
    publish_whole(tmp_path, "d", images("1"), day=1)
    said = pruned(tmp_path, OLD)
    assert left(tmp_path) == ["a", "b", "c", "d"]
    assert said[:2] == [
        f"run {name}: stays: run.json does not say when it finished" for name in "bc"
    ]


def test_the_last_score_stays_though_the_newest_row_is_an_error_that_may_pass(
    tmp_path: Path,
) -> None:
    publish_whole(tmp_path, "a", images("1"))
    publish_whole(tmp_path, "b", images("1"), day=1)
    publish_whole(tmp_path, "c", images("1", **TRANSIENT), day=2)
    publish_whole(tmp_path, "d", images("1", **TRANSIENT), day=3)
    pruned(tmp_path, OLD)
    assert left(tmp_path) == ["b", "d"]


def test_an_image_that_is_broken_by_now_needs_no_older_row(tmp_path: Path) -> None:
    publish_whole(tmp_path, "a", images("1"))
    publish_whole(tmp_path, "b", images("1", **BROKEN), day=1)
    pruned(tmp_path, OLD)
    assert left(tmp_path) == ["b"]


def test_what_is_forgotten_by_name_stands_in_for_nothing(tmp_path: Path) -> None:
    publish_whole(tmp_path, "a", images("1"))
    publish_whole(tmp_path, "b", images("1", "2"), day=1)
    publish_whole(tmp_path, "young", images("3"), day=90)
    policy = PruningPolicy(runs=30, forget=frozenset({"b", "young", "typo"}))
    said = pruned(tmp_path, policy)
    assert left(tmp_path) == ["a", "young"]
    assert said[0] == "--forget typo: there is no published run of that name (any more)"
    assert said[1].startswith("run a: stays: of 1 images")
    assert "run b: goes (finished 99 days ago; 2 images lose their row)" in said[2]


history = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.integers(0, 4),
            "rows": st.dictionaries(
                st.sampled_from("abc"), st.sampled_from([{}, TRANSIENT, BROKEN]), max_size=3
            ),
        }
    ),
    min_size=1,
    max_size=5,
)


@given(history, st.integers(1, 4), st.sets(st.integers(0, 4), max_size=1))
@settings(max_examples=10)
def test_what_goes_is_what_the_rule_says_and_nothing_is_lost(
    past: list[dict[str, Any]], days: int, forget: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        publish_whole(root, "youngest", images("d"), day=5)
        for number, run in enumerate(past):
            rows = [{"uri": uri, **row} for uri, row in run["rows"].items()]
            publish_whole(root, f"run-{number}", rows, day=run["day"])
        policy = PruningPolicy(runs=days, forget=frozenset(f"run-{n}" for n in forget))
        before = everything(root)
        planned = plan_pruning(folder, policy, OPTIONS, at_day(5))
        assert everything(root) == before
        assert pruned(root, policy, at_day(5)) == planned.lines()
        found = left(root)
        after = everything(root)
        assert sum(len(data) for data in before.values()) - sum(map(len, after.values())) == sum(
            removal.num_bytes for removal in planned.removals
        )
        assert not plan_pruning(folder, policy, OPTIONS, at_day(5)).removals
        pruned(root, policy, at_day(5))
        assert everything(root) == after
    assert found == expected(past, days, forget)


def expected(past: list[dict[str, Any]], days: int, forget: set[int]) -> list[str]:
    """By the rule as it is told, image by image."""
    order = sorted(range(len(past)), key=lambda number: (past[number]["day"], number))
    old = {number for number in order if 5 - past[number]["day"] > days}
    standing = {number for number in order if number not in old}
    for uri in "abc":
        rows = [n for n in order if uri in past[n]["rows"] and n not in old & forget]
        final = [n for n in rows if past[n]["rows"][uri] != TRANSIENT]
        standing |= {*rows[-1:], *final[-1:]}
    return [*sorted(f"run-{number}" for number in standing), "youngest"]


def test_embeddings_go_and_the_record_says_so(tmp_path: Path) -> None:
    folder = publish_whole(tmp_path, "a", images("1", "2"), embeddings=True)
    publish_whole(tmp_path, "young", images("3"), day=90, embeddings=True)
    said = pruned(tmp_path, PruningPolicy(embeddings=30))
    assert said[0].startswith(
        "embeddings a: goes (finished 100 days ago; --from-run a and reuse by content lose them)"
    )
    document = json.loads((folder / "run.json").read_text())
    assert document["embeddings_pruned"].items() >= {"num_files": 1, "num_rows": 1}.items()
    old, young = published_runs(str(tmp_path), OPTIONS)
    assert embedding_files(old.uri, old.document) == []
    assert len(embedding_files(young.uri, young.document)) == 1
    assert not (folder / "embeddings").exists()
    assert not any(found.faults for found in verify_runs(str(tmp_path), [], OPTIONS))
    assert pruned(tmp_path, PruningPolicy(embeddings=30)) == ["0 go, 0 files, 0 bytes"]


def test_what_an_unfinished_run_still_reads_stays(tmp_path: Path) -> None:
    publish_whole(tmp_path, "a", images("1"), embeddings=True)
    publish_whole(tmp_path, "b", images("1"), day=1)
    begun(tmp_path, "rescoring", 99, settings={"from_run": ["a"]})
    policy = PruningPolicy(runs=30, embeddings=30, unfinished=7)
    said = pruned(tmp_path, policy)
    assert "run a: stays: unfinished run rescoring scores it (--from-run)" in said
    assert left(tmp_path) == ["a", "b", "rescoring"]
    make_silent(tmp_path / "runs" / "rescoring", 50)
    pruned(tmp_path, policy)
    assert left(tmp_path) == ["b"]


@pytest.mark.parametrize("from_run", [5, "a", [{"a": 1}], [None]])
def test_a_strangers_unfinished_record_ends_nothing(tmp_path: Path, from_run: object) -> None:
    publish_whole(tmp_path, "a", images("1"))
    publish_whole(tmp_path, "b", images("1"), day=1)
    begun(tmp_path, "odd", 99, settings={"from_run": from_run})
    pruned(tmp_path, OLD)
    assert left(tmp_path) == ["b", "odd"]


def test_unfinished_runs_go_after_long_silence(tmp_path: Path) -> None:
    publish_whole(tmp_path, "whole", images("1"))
    begun(tmp_path, "dead", 90)
    begun(tmp_path, "silent-for-a-while", 98)
    lease = tmp_path / "runs" / "only-a-lease" / "lease" / "00000001.json"
    lease.parent.mkdir(parents=True)
    lease.write_text('{"released": true}')
    make_silent(lease.parent.parent, 90)
    contract = tmp_path / "runs" / "flat" / "lease" / "2024.pdf"
    contract.parent.mkdir(parents=True)
    contract.write_text("mine")
    make_silent(contract.parent.parent, 90)
    said = pruned(tmp_path, PruningPolicy(unfinished=7))
    assert left(tmp_path) == ["flat", "silent-for-a-while", "whole"]
    assert said[0] == "run flat: left alone: without run.json it may be anybody's"
    assert "run dead: goes (not published, last sign of life 10 days ago)" in said[1]


def test_who_still_works_is_left_alone_whatever_the_clocks_say(tmp_path: Path) -> None:
    folder = begun(tmp_path, "at-work", 0)
    with Lease(str(folder), OPTIONS, 0.2):
        make_silent(folder, 0)
        before = {k: v for k, v in everything(folder).items() if not k.startswith("lease/")}
        said = pruned(tmp_path, PruningPolicy(unfinished=7), at_day(10_000))
        after = {k: v for k, v in everything(folder).items() if not k.startswith("lease/")}
    assert "is at work on" in said[-1]
    assert said[-1].startswith("run at-work: stays after all: ")
    assert before == after


def test_a_run_that_lacks_its_last_step_only_is_no_waste(tmp_path: Path) -> None:
    folder = publish_whole(tmp_path, "a", images("1"), success=False)
    make_silent(folder, 0)
    (line, _) = pruned(tmp_path, PruningPolicy(unfinished=7))
    assert line.startswith("run a: stays: it lacks nothing but _SUCCESS; submit it once more")
    assert (folder / "scores" / "part-00000.parquet").exists()


def test_what_is_not_ours_is_not_touched(tmp_path: Path) -> None:
    folder = publish_whole(tmp_path, "a", images("1"), embeddings=True)
    publish_whole(tmp_path, "b", images("1"), day=1)
    foreign = ["notes.txt", "scores/mine.csv", "embeddings/mine.npy", "scores/part-1.parquet"]
    for name in foreign:
        (folder / name).write_text("mine")
    for name in ("theirs/data.parquet", "theirs2/run.json", "two words/_SUCCESS", "loose.txt"):
        path = tmp_path / "runs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
        make_silent(path.parent, 0)
    (tmp_path / "bank.json").write_text("{}")
    said = pruned(tmp_path, PruningPolicy(runs=30, unfinished=7))
    assert sorted(everything(tmp_path / "runs" / "a")) == sorted(foreign)
    assert said[0] == "run theirs: left alone: without run.json it may be anybody's"
    assert said[1].startswith("run theirs2: run.json is of format version None")
    assert "4 files that are not ours stay" in said[3]
    names = everything(tmp_path)
    for name in ("theirs/data.parquet", "theirs2/run.json", "two words/_SUCCESS", "loose.txt"):
        assert f"runs/{name}" in names
    assert "bank.json" in names


def test_a_link_is_not_followed_and_stands_in_for_nothing(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    publish_whole(root, "a", images("1"), embeddings=True)
    (root / "runs" / "z-latest").symlink_to("a")
    publish_whole(elsewhere, "b", images("2"), embeddings=True)
    begun(elsewhere, "dead", 0, settings={"from_run": ["a"]})
    begun(elsewhere, "half-deleted", 0, outcome="pruned")
    for name in ("b", "dead", "half-deleted"):
        (root / "runs" / name).symlink_to(elsewhere / "runs" / name)
    partly = publish_whole(root, "partly", images("2"), embeddings=True)
    shutil.move(partly / "embeddings", elsewhere / "kept")
    (partly / "embeddings").symlink_to(elsewhere / "kept")
    publish_whole(root, "new", images("2"), day=90)
    before = everything(tmp_path)
    policy = PruningPolicy(runs=30, embeddings=30, unfinished=7)
    said = pruned(root, policy)
    assert everything(tmp_path) == before
    for name in ("b", "dead", "half-deleted", "partly/embeddings", "z-latest"):
        link, run = root / "runs" / name, name.partition("/")[0]
        assert f"run {run}: left alone, and counts for nothing here: {link} is a link" in said
    assert "run a: stays: unfinished run dead scores it (--from-run)" in said
    (root / "runs" / "dead").unlink()
    said = pruned(root, PruningPolicy(runs=30))
    assert everything(tmp_path) == {k: v for k, v in before.items() if "root/runs/dead" not in k}
    assert any(line.startswith("run a: stays: of 1 images no newer run has") for line in said)


def test_a_strangers_record_is_told_in_one_plain_line(tmp_path: Path) -> None:
    publish_whole(tmp_path, "a", images("1"))
    change(begun(tmp_path, "odd", 0), format_version="\x1b[2J\n0 go")
    (line, _) = pruned(tmp_path, PruningPolicy(unfinished=7))
    assert r"version \x1b[2J\n0 go;" in line


def test_an_unreadable_record_or_unreadable_scores_end_all(tmp_path: Path) -> None:
    publish_whole(tmp_path, "a", images("1"))
    publish_whole(tmp_path, "b", images("1"), day=1)
    damaged = publish_whole(tmp_path, "c", images("2"), day=2)
    (damaged / "scores" / "part-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match="published scores cannot be read"):
        pruned(tmp_path, OLD)
    (damaged / "run.json").write_text("{")
    with pytest.raises(SettingsError, match=r"published run .*c: run.json is no JSON"):
        pruned(tmp_path, OLD)
    assert left(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize("files", [None, [1], ["x"], [{}]])
def test_a_record_without_its_files_ends_all_in_one_line(tmp_path: Path, files: object) -> None:
    folder = publish_whole(tmp_path, "a", images("1"), embeddings=True)
    change(folder, files=files)
    with pytest.raises(SettingsError, match="does not say which files it has"):
        pruned(tmp_path, PruningPolicy(embeddings=30))


@pytest.mark.parametrize("fault", [{"num_rows": "7"}, {"num_bytes": None}, {"name": 5}])
def test_files_that_are_not_described_end_all_before_anything_goes(
    tmp_path: Path, fault: dict[str, Any]
) -> None:
    folder = publish_whole(tmp_path, "a", images("1"), embeddings=True)
    files = json.loads((folder / "run.json").read_text())["files"]
    change(folder, files=[files[0] | fault, *files[1:]])
    before = everything(tmp_path / "runs")
    with pytest.raises(SettingsError, match=r"run.json does not say of each file its name, num_"):
        pruned(tmp_path, PruningPolicy(embeddings=30))
    assert everything(tmp_path / "runs") == before


def test_a_place_without_runs_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"--output {tmp_path}: no run below"):
        pruned(tmp_path, OLD)
    with pytest.raises(SettingsError, match="no run below"):
        plan_pruning(str(tmp_path), OLD, OPTIONS, NOW)
    assert list(tmp_path.iterdir()) == []
