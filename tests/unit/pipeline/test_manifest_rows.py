"""A manifest as a source of Ray Data: every row by one task, and none for what is done."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ufd_ray.errors import StorageError
from ufd_ray.pipeline.manifest_rows import ManifestRows, read_rows
from ufd_ray.storage import ManifestRange, StorageOptions, manifest_ranges, write_manifest
from ufd_ray.storage.manifests import manifest as manifest_module

HERE = StorageOptions()
READ = partial(read_rows, storage=HERE)


def listed(folder: str, num_images: int) -> str:
    images = {
        "uri": pa.array([f"/images/{number:03}.jpg" for number in range(num_images)]),
        "etag": pa.nulls(num_images, pa.string()),
        "size_bytes": pa.nulls(num_images, pa.int64()),
        "last_modified": pa.nulls(num_images, pa.timestamp("us", tz="UTC")),
    }
    write_manifest(folder, [pa.table(images)], HERE)
    return folder


@settings(max_examples=20)
@given(
    num_images=st.integers(1, 40),
    rows_a_file=st.integers(1, 15),
    rows_a_group=st.integers(1, 15),
    data=st.data(),
)
def test_every_row_that_is_not_done_is_read_once(
    num_images: int, rows_a_file: int, rows_a_group: int, data: st.DataObject
) -> None:
    done = np.array(data.draw(st.lists(st.booleans(), min_size=num_images, max_size=num_images)))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_module, "_ROWS_PER_FILE", rows_a_file)
        patch.setattr(manifest_module, "_ROWS_PER_GROUP", rows_a_group)
        ranges = manifest_ranges(listed(folder, num_images), HERE)
        everything = ManifestRows(ranges, READ, 512)
        missing = ManifestRows(ranges, READ, 512, done)
        numbers = [
            [n for task in source.get_read_tasks(1) for part in task() for n in _positions(part)]
            for source in (everything, missing)
        ]
    assert numbers[0] == list(range(num_images))
    assert len(numbers[1]) == len(set(numbers[1]))
    assert set(np.flatnonzero(~done)) <= set(numbers[1])
    assert len(missing) == sum(not done[r.position : r.position + r.num_rows].all() for r in ranges)
    assert everything.estimate_inmemory_data_size() == 512 * num_images


def _positions(table: pa.Table) -> list[int]:
    positions: list[int] = table["position"].to_pylist()
    return positions


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "part-00000.parquet").write_bytes(b"nothing")
    with pytest.raises(StorageError, match=r"part-00000\.parquet cannot be read"):
        manifest_ranges(str(tmp_path), HERE)
    with pytest.raises(StorageError, match=r"part-00000\.parquet cannot be read"):
        READ(ManifestRange(str(tmp_path / "part-00000.parquet"), 0, 1, 0))
