"""Stored embeddings, listed and read again: every row once, whatever lies in which file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pipeline.stored_files import DIM, vectors, write_embeddings
from ufd_ray.errors import StorageError
from ufd_ray.pipeline.stored_rows import Recalling
from ufd_ray.schema import STATUS
from ufd_ray.storage import (
    StorageOptions,
    StoredEmbeddings,
    embedding_matrix,
    embedding_ranges,
    image_id,
    write_manifest,
)

HERE = StorageOptions()
KINDS = [
    pa.list_(pa.float16()),
    pa.list_(pa.float32()),
    pa.large_list(pa.float64()),
    pa.list_(pa.float32(), DIM),
    pa.list_(pa.float64(), DIM),
]


def listed(folder: Path, *places: Path, column: str = "embedding") -> str:
    """List what lies there into a manifest."""
    reader = StoredEmbeddings(column, DIM, HERE)
    tables = (table for place in places for table in reader.tables(reader.find(str(place))))
    manifest = str(folder / "manifest")
    write_manifest(manifest, tables, HERE)
    return manifest


def recalled(
    manifest: str, *, rows_per_task: int = 10**6, dtype: str = "float32", column: str = "embedding"
) -> Any:
    """All rows that the tasks yield, by position."""
    how = Recalling(column, DIM, dtype, HERE)
    ranges = embedding_ranges(manifest, rows_per_task, HERE)
    return pa.concat_tables([t for r in ranges for t in how.rows(r)]).sort_by("position")


@st.composite
def partitions(draw: st.DrawFn, num_rows: int) -> list[tuple[int, int]]:
    """Rows of each file, none perhaps, and of its row groups."""
    cuts = sorted(draw(st.lists(st.integers(0, num_rows), max_size=3)))
    sizes = np.diff([0, *cuts, num_rows]).tolist()
    return [(size, draw(st.integers(1, 9))) for size in sizes]


@settings(max_examples=20)
@given(data=st.data(), rows_per_task=st.integers(1, 30))
def test_however_the_rows_are_cut_they_come_out_alike(
    data: st.DataObject, rows_per_task: int
) -> None:
    num_rows = data.draw(st.integers(1, 25))
    kind = data.draw(st.sampled_from(KINDS))
    names = [f"/images/{data.draw(st.integers(0, 20))}.png" for _ in range(num_rows)]
    cells: list[Any] = list(vectors(num_rows))
    for row in data.draw(st.sets(st.integers(0, num_rows - 1), max_size=3)):
        cells[row] = None
    with tempfile.TemporaryDirectory() as name:
        begun = 0
        for number, (size, per_group) in enumerate(data.draw(partitions(num_rows))):
            rows = slice(begun, begun + size)
            write_embeddings(
                Path(name, "in", f"{number}.parquet"),
                cells[rows],
                kind=kind,
                rows_per_group=per_group,
                uri=pa.array(names[rows], pa.string()),
                batch=pa.array(range(num_rows)[rows], pa.int64()),
            )
            begun += size
        found = recalled(listed(Path(name), Path(name, "in")), rows_per_task=rows_per_task)
    first = {name: row for row, name in reversed(list(enumerate(names)))}
    wanted = sorted(first.values())
    assert found["position"].to_pylist() == list(range(len(wanted)))
    assert found["batch"].to_pylist() == wanted
    assert found["image_id"].to_pylist() == [image_id(names[row]) for row in wanted]
    through = np.float16 if kind.value_type == pa.float16() else np.float64
    for row, embedding in zip(wanted, found["embedding"].to_pylist(), strict=True):
        expected = None if cells[row] is None else cells[row].astype(through).astype(np.float32)
        assert embedding == (None if expected is None else expected.tolist())


def test_rows_that_are_no_embeddings_are_errors_of_their_own(tmp_path: Path) -> None:
    cells = [
        [1, 2, 3, 4], None, [1, 2, float("nan"), 4], [1, float("-inf"), 3, 4], [0, 0, 0, 0],
        [1, 2, None, 4], [1e30, 0, 0, 0], [], [1, 2, 3], [1, 2, 3, 4, 5], [4, 3, 2, 1],
    ]  # fmt: skip
    path = write_embeddings(tmp_path / "odd.parquet", cells, rows_per_group=100)
    rows = recalled(listed(tmp_path, path), dtype="float16")
    codes = [None, *["not_finite"] * 6, *["corrupt"] * 3, None]
    assert rows["error_code"].to_pylist() == codes
    messages = rows["error_message"].to_pylist()
    assert messages[1] == "the stored embedding is null"
    assert "NaN or infinite numbers in the detectors' precision, or is all zeros" in messages[6]
    assert messages[7:10] == [
        f"the stored embedding has {n} numbers, and the detectors take 4" for n in (0, 3, 5)
    ]
    assert rows["embedding"].is_valid().to_pylist() == [code is None for code in codes]
    assert embedding_matrix(rows["embedding"].drop_null()).tolist() == [[1, 2, 3, 4], [4, 3, 2, 1]]
    assert rows["embedding"].type == pa.list_(pa.float16(), DIM)
    for field in STATUS:
        assert rows.schema.field(field.name).type == field.type
    assert "embedding_at" not in rows.column_names


def test_a_file_that_has_changed_since_is_not_read(tmp_path: Path) -> None:
    path = write_embeddings(tmp_path / "a.parquet", vectors(5))
    manifest = listed(tmp_path, path)
    write_embeddings(path, vectors(5, seed=1))
    os.utime(path, (1, 1))
    with pytest.raises(StorageError, match=r"a\.parquet: it changed since its rows were listed"):
        recalled(manifest)
    path.unlink()
    with pytest.raises(StorageError, match=r"a\.parquet: the file is gone"):
        recalled(manifest)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write_embeddings(tmp_path / "a.parquet", vectors(500), rows_per_group=500)
    manifest = listed(tmp_path, path)
    then = path.stat()
    data = bytearray(path.read_bytes())
    data[10:-5000] = bytes(len(data) - 5010)
    path.write_bytes(data)
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    with pytest.raises(StorageError, match=r"stored embeddings .*a\.parquet cannot be read"):
        recalled(manifest)


def test_tasks_end_where_row_groups_do(tmp_path: Path) -> None:
    for name, groups in (("a", 4), ("b", 10)):
        write_embeddings(tmp_path / "in" / f"{name}.parquet", vectors(12), rows_per_group=groups)
    ranges = embedding_ranges(listed(tmp_path, tmp_path / "in"), 9, HERE)
    assert [(r.first, r.num_rows, r.position) for r in ranges] == [
        (0, 8, 0), (8, 4, 8), (12, 10, 12), (22, 2, 22),
    ]  # fmt: skip
