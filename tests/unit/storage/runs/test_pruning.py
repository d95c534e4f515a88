"""Deleting: killed anywhere, twice at once, beside others."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.unit.storage.runs.pruning_cases import (
    OPTIONS,
    begun,
    images,
    left,
    pruned,
)
from tests.unit.storage.runs.published import publish
from tests.unit.storage.runs.whole import change, everything, publish_whole
from ufd_ray.errors import LeaseError, SettingsError, StorageError
from ufd_ray.storage import (
    Lease,
    PruningPolicy,
    RunFolder,
    StorageOptions,
    embedding_files,
    published_runs,
)
from ufd_ray.storage.runs import pruning, pruning_plan
from ufd_ray.storage.runs.standing_rows import count_standing

pytestmark = pytest.mark.usefixtures("short_leases")

OLD = PruningPolicy(runs=30)


class Disk:
    """From its n-th change below a folder on, the disk takes none any more."""

    def __init__(self, root: Path, num_changes: int, patch: pytest.MonkeyPatch) -> None:
        self._left = num_changes
        self.died = False
        for module, name in ((Path, "unlink"), (os, "replace"), (os, "link"), (shutil, "rmtree")):
            patch.setattr(module, name, self._counted(getattr(module, name), str(root)))

    def _counted(self, change: Any, root: str) -> Any:
        def change_if_alive(path: Any, *args: Any, **named: Any) -> Any:
            if str(path).startswith(root):
                self._left -= 1
                if self._left < 0:
                    self.died = True
                    raise OSError(errno.EIO, "the disk is gone")
            return change(path, *args, **named)

        return change_if_alive


def three_kinds(root: Path) -> None:
    publish_whole(root, "old", images("1", "2"), embeddings=True)
    publish_whole(root, "kept", images("1", "3"), day=1, embeddings=True)
    publish_whole(root, "new", images("1", "2"), day=90)
    begun(root, "dead", 50)


def newest(root: Path) -> dict[str, str]:
    """Which run has an image's newest row, as any reader that waits for `_SUCCESS` finds it."""
    found = {}
    for run in published_runs(str(root), OPTIONS):
        for file in run.score_files:
            found |= dict.fromkeys(pq.read_table(file)["uri"].to_pylist(), run.run_id)
    for folder in (root / "runs").iterdir():
        if (folder / "_SUCCESS").exists():  # and no half run for those who know nothing else
            assert len(list((folder / "scores").iterdir())) == 1
            for file in embedding_files(str(folder), json.loads((folder / "run.json").read_text())):
                assert Path(file).exists()
    return found


def undated(root: Path) -> dict[str, bytes]:
    # What was being written when the disk went lies beside its file, and nobody reads it.
    files = {k: v for k, v in everything(root).items() if "/.writing-" not in k}
    for name in [name for name in files if name.endswith("run.json")]:
        document = json.loads(files[name])
        document.get("embeddings_pruned", {}).pop("at", None)
        files[name] = json.dumps(document).encode()
    return files


def test_killed_anywhere_the_next_one_comes_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = PruningPolicy(runs=30, embeddings=30, unfinished=7)
    three_kinds(tmp_path / "fresh")
    before = newest(tmp_path / "fresh")
    shutil.copytree(tmp_path / "fresh", tmp_path / "at-once")
    standing = count_standing(
        str(tmp_path / "fresh"), published_runs(str(tmp_path / "fresh"), OPTIONS), OPTIONS
    )
    # The same every time, and most of the time.
    monkeypatch.setattr(pruning_plan, "count_standing", lambda *_: standing)
    pruned(tmp_path / "at-once", policy)
    assert left(tmp_path / "at-once") == ["kept", "new"]
    end = undated(tmp_path / "at-once")
    for num_changes in itertools.count():
        root = tmp_path / "killed"
        shutil.copytree(tmp_path / "fresh", root)
        with monkeypatch.context() as patch:
            disk = Disk(root, num_changes, patch)
            try:
                pruned(root, policy)
            except StorageError:
                assert disk.died
        assert newest(root) == before
        no_going_on(root)
        pruned(root, policy)
        assert undated(root) == end, num_changes
        shutil.rmtree(root)
        if not disk.died:
            break
    assert num_changes > 25


def no_going_on(root: Path) -> None:
    """A run of which something is gone is neither begun anew nor gone on with."""
    for name in ("old", "dead"):
        folder = root / "runs" / name
        # Scores, manifest and embeddings; or scores, manifest and parts.
        is_whole = len(list(folder.glob("*/*.parquet"))) == 3
        if (folder / "run.json").exists() and not is_whole:
            with pytest.raises(SettingsError, match="that run is being deleted"):
                RunFolder(str(root), name, OPTIONS).earlier({})


def test_of_two_at_once_the_second_changes_nothing(tmp_path: Path) -> None:
    three_kinds(tmp_path)
    before = everything(tmp_path / "runs")
    with (
        Lease(str(tmp_path / "current"), OPTIONS, 1.5, done="_NEVER"),
        pytest.raises(LeaseError, match="is at work on"),
    ):
        pruned(tmp_path, OLD)
    assert everything(tmp_path / "runs") == before


def test_one_killed_driver_is_not_waited_for_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_whole(tmp_path, "whole", images("1"))
    for name in "abc":
        begun(tmp_path, name, 50)
    carry_out, all_there = pruning._carry_out, threading.Barrier(3)

    def wait_and_carry_out(removal: Any, options: StorageOptions) -> None:
        all_there.wait(600)
        carry_out(removal, options)

    monkeypatch.setattr(pruning, "_carry_out", wait_and_carry_out)
    pruned(tmp_path, PruningPolicy(unfinished=7))
    assert left(tmp_path) == ["whole"]


@pytest.fixture
def changed_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody does something between the plan and the first deletion."""

    def do(what: Any) -> list[str]:
        plan = pruning.plan_pruning

        def planned(*args: Any) -> Any:
            found = plan(*args)
            what()
            return found

        monkeypatch.setattr(pruning, "plan_pruning", planned)
        return pruned(tmp_path, PruningPolicy(runs=30, unfinished=7))

    return do


def test_who_went_on_meanwhile_is_left_alone(tmp_path: Path, changed_between: Any) -> None:
    folder = begun(tmp_path, "dead", 50)
    said = changed_between(lambda: change(folder, outcome="failed"))
    assert said[-1] == "run dead: stays after all: its run.json has changed meanwhile"
    assert (folder / "parts" / "1_000.parquet").exists()


def test_what_is_gone_meanwhile_is_not_made_anew(tmp_path: Path, changed_between: Any) -> None:
    folder = publish_whole(tmp_path, "a", images("1"))
    publish_whole(tmp_path, "b", images("1"), day=1)
    said = changed_between(lambda: shutil.rmtree(folder))
    assert said[-1] == "run a: stays after all: it is gone by now"
    assert left(tmp_path) == ["b"]


def test_readers_pass_over_what_is_being_deleted(tmp_path: Path) -> None:
    change(publish_whole(tmp_path, "a", images("1")), outcome="pruned")
    publish(tmp_path, "b", images("1"), minute=1)
    assert [run.run_id for run in published_runs(str(tmp_path), OPTIONS)] == ["b"]
