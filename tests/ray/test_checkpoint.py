"""Which rows of a run are done, and that those and no others are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data
from hypothesis import given
from hypothesis import strategies as st

from tests.crawl.handmade import HERE
from ufd_ray.errors import StorageError
from ufd_ray.pipeline.checkpoint import LeaveOut, checkpointed, rows_done
from ufd_ray.storage import RunFolder


@pytest.mark.usefixtures("ray_cluster")
@given(done=st.lists(st.booleans(), min_size=1, max_size=60), data=st.data())
def test_what_is_done_is_left_out_and_nothing_else(done: list[bool], data: st.DataObject) -> None:
    positions = data.draw(st.permutations(range(len(done))))
    rows = pa.table({"position": pa.array(positions, pa.int64())})
    left = LeaveOut(np.array(done))(rows)["position"].to_pylist()
    assert left == [position for position in positions if not done[position]]


def test_what_was_announced_and_never_committed_is_not_done(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "a", HERE)
    assert rows_done(run, 4).tolist() == [False] * 4
    checkpoint = Path(run.checkpoint)
    checkpoint.mkdir(parents=True)
    for name, positions in {"a_000000.parquet": [2], "a_000001.pending.parquet": [1, 3]}.items():
        pq.write_table(pa.table({"position": pa.array(positions, pa.int64())}), checkpoint / name)
    assert rows_done(run, 4).tolist() == [False, False, True, False]


@pytest.mark.usefixtures("ray_cluster")
def test_killed_between_the_two_halves_of_a_commit(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "a", HERE)
    checkpoint, parts = Path(run.checkpoint), Path(run.parts)
    for folder, names in {
        checkpoint: ["a_000000.parquet", "a_000000.pending.parquet", "b_000000.pending.parquet"],
        parts: ["a_000000-0.parquet", "b_000000-0.parquet"],
    }.items():
        folder.mkdir(parents=True)
        for number, name in enumerate(names):
            pq.write_table(pa.table({"position": pa.array([number], pa.int64())}), folder / name)
    with checkpointed(run):
        rows = ray.data.read_parquet(str(parts))  # what Ray Data itself does before it writes
        rows.write_parquet(str(parts))
    assert not list(checkpoint.glob("*.pending.parquet"))
    assert (checkpoint / "a_000000.parquet").exists()
    assert (parts / "a_000000-0.parquet").exists()
    assert not (parts / "b_000000-0.parquet").exists()


@pytest.mark.parametrize("damage", ["cut off", "other column", "other run"])
def test_a_damaged_checkpoint_is_said(tmp_path: Path, damage: str) -> None:
    run = RunFolder(str(tmp_path), "a", HERE)
    file = Path(run.checkpoint, "a_000000.parquet")
    file.parent.mkdir(parents=True)
    name = "id" if damage == "other column" else "position"
    pq.write_table(pa.table({name: pa.array([9 if damage == "other run" else 1])}), file)
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(StorageError, match=f"checkpoint cannot be read .* delete {run.uri}"):
        rows_done(run, 4)
