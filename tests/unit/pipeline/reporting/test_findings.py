"""Where members of tars begin is looked up in the run's own manifest, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ufd_ray.errors import StorageError
from ufd_ray.pipeline.reporting.findings import _offsets
from ufd_ray.schema import MANIFEST
from ufd_ray.storage import StorageOptions, write_table

HERE = StorageOptions()


def test_offsets_are_those_of_the_manifest(tmp_path: Path) -> None:
    offsets = [512, None, 2048, 4096, 8192]
    for number, (start, end) in enumerate(((0, 3), (3, 5))):
        rows = [
            {"position": n, "image_id": str(n), "uri": "/a.tar", "offset": offsets[n]}
            for n in range(start, end)
        ]
        table = pa.Table.from_pylist(rows, pa.schema(MANIFEST))
        write_table(str(tmp_path), f"part-{number:05d}.parquet", table, HERE, rows_per_group=2)
    assert _offsets(str(tmp_path), {1, 2, 4}, HERE) == {2: 2048, 4: 8192}


def test_where_there_are_no_members_no_manifest_is_read(tmp_path: Path) -> None:
    assert _offsets(str(tmp_path / "none"), set(), HERE) == {}
    (tmp_path / "part-00000.parquet").write_bytes(b"no manifest")
    with pytest.raises(StorageError):
        _offsets(str(tmp_path), {0}, HERE)
