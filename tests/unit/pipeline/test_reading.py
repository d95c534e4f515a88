from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.images.samples import encoded, picture
from ufd_ray.images import Alignment, DecodeLimits, FileTraits, shared_sandbox
from ufd_ray.pipeline.reading import TRAITS, Inspection, decode_images, fetch_images
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


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DecodeLimits]:
    """Limits whose sandbox is ended with the tests."""
    limits = DecodeLimits()
    yield limits
    shared_sandbox(limits).close()


def test_traits_in_a_row_are_those_of_a_file() -> None:
    assert TRAITS.names == [field.name for field in fields(FileTraits)]


@pytest.mark.parametrize(
    ("inspection", "columns"),
    [
        (None, []),
        (Inspection(), []),
        (Inspection(alignment=Alignment(16, 90)), []),
        (Inspection(with_traits=True), ["traits"]),
        (Inspection(True, Alignment(16, 90)), ["traits", "aligned_traits"]),
    ],
)
def test_only_an_evaluation_gets_traits(
    sandbox: DecodeLimits, inspection: Inspection | None, columns: list[str]
) -> None:
    files = [encoded(picture(20, 30), "PNG"), b"no image", encoded(picture(12, 40), "JPEG"), None]
    rows = pa.table({"data": pa.array(files, pa.large_binary())})
    done = decode_images(rows, mode="crop", size=24, limits=sandbox, inspection=inspection)
    assert [name for name in done.column_names if "traits" in name] == columns
    small = "too_small" if inspection and inspection.alignment else None
    assert done["error_code"].to_pylist() == [None, "unsupported", small, None]
    assert done["width"].to_pylist() == [20, None, 12, None]
    for name in columns:
        assert done[name].type == TRAITS
        first, bad, second, none = done[name].to_pylist()
        assert (bad, none, second is None) == (None, None, small is not None)
        assert first["format"] == ("PNG" if name == "traits" else "JPEG")
