from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ufd_ray.pipeline.reading import fetch_images
from ufd_ray.schema import MANIFEST
from ufd_ray.storage import FetchLimits, StorageOptions


def manifest(rows: list[dict[str, Any]], columns: set[str]) -> Any:
    fields = [field for field in MANIFEST if field.name in columns]
    return pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(True) for f in fields]))


def fetched(rows: Any) -> Any:
    return fetch_images(
        rows, storage=StorageOptions(), limits=FetchLimits(max_bytes=10, first_wait_s=0)
    )


@pytest.mark.parametrize("without", [set(), {"offset"}, {"member", "offset"}])
def test_rows_come_back_with_bytes_or_a_reason(tmp_path: Path, without: set[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(b"aaaa")
    (tmp_path / "large.jpg").write_bytes(bytes(11))
    uris = [str(tmp_path / name) for name in ("a.jpg", "large.jpg", "gone.jpg")]
    rows = manifest([{"uri": uri} for uri in uris], {f.name for f in MANIFEST} - without)
    table = fetched(rows)
    assert table["uri"].to_pylist() == uris
    assert table["data"].to_pylist() == [b"aaaa", None, None]
    assert table["error_code"].to_pylist() == [None, "too_many_bytes", "not_found"]
    assert table["content_hash"].to_pylist() == [hashlib.sha256(b"aaaa").hexdigest(), None, None]
    assert table["size_bytes"].to_pylist() == [4, None, None]
    assert set(table.column_names) - set(rows.column_names) == {
        *("data", "error_code", "error_message", "content_hash")
    }


def test_members_are_read_where_the_manifest_says_they_lie(tmp_path: Path) -> None:
    uri = str(tmp_path / "00000.tar")
    with tarfile.open(uri, "w") as tar:
        for data in (b"first", b"second"):
            entry = tarfile.TarInfo("same.jpg")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    with tarfile.open(uri) as tar:
        rows = [
            {"uri": uri, "member": e.name, "offset": e.offset_data, "size_bytes": e.size}
            for e in tar
        ]
    table = fetched(manifest(rows, {f.name for f in MANIFEST}))
    assert table["data"].to_pylist() == [b"first", b"second"]
