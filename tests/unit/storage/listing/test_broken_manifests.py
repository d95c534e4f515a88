"""Manifests without rows, and those that are refused in one line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.unit.storage.listing.input_tables import parquet, read, refused


def test_a_manifest_without_uri_names_what_it_found(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("url,label\nx,1\n")
    assert refused(manifest).endswith("needs a column `uri`; found ['url', 'label']")


@pytest.mark.parametrize("uris", [["/a", None], [None], ["/a", ""]])
def test_empty_names_are_refused(tmp_path: Path, uris: list[str | None]) -> None:
    manifest = tmp_path / "list.parquet"
    manifest.write_bytes(parquet(pa.table({"uri": pa.array(uris, pa.string())})))
    assert refused(manifest).endswith("the column `uri` has empty cells")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("list.csv", b"uri,label\n"),
        ("list.txt", b""),
        ("list.jsonl", b"\n\n"),
        ("list.parquet", parquet(pa.table({"uri": pa.array([], pa.string())}))),
    ],
)
def test_an_empty_manifest_has_no_rows(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    table = read(tmp_path / name)
    assert len(table) == 0
    assert table.column_names[:1] == ["uri"]
    assert table["uri"].type == pa.string()


SOUND = parquet(pa.table({"uri": ["/a"] * 1000, "n": range(1000)}))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("list.parquet", b""),
        ("list.parquet", b"no parquet at all"),
        ("list.parquet", SOUND[:-20]),
        ("list.parquet", b"PAR1" + bytes(50) + b"PAR1"),
        ("list.parquet", SOUND[:4] + bytes(len(SOUND) - 300) + SOUND[-296:]),
        ("list.csv", b""),
        ("list.csv", b"uri,n\n/a\n"),
        ("list.csv", b"uri\n\xff\xfe\n"),
        ("list.csv", "uri\n/a\n".encode("utf-16")),
        ("list.csv", b"uri,n,n\n/a,1,2\n"),
        ("list.jsonl", b'{"uri": "/a"'),
        ("list.jsonl", b'"/a"\n'),
        ("list.jsonl", b'{"uri": "/a"}\n["/b"]\n'),
        ("list.jsonl", b'{"uri": "/a", "n": 1}\n{"uri": "/b", "n": "x"}\n'),
        ("list.jsonl", b'{"uri": "/a", "n": 123456789012345678901234567890}\n'),
        ("list.jsonl", b'{"uri": {"x": 1}}\n'),
        ("list.txt", b"/a\xff.jpg\n"),
        ("list.csv", b"uri,size_bytes\n/a,many\n"),
        ("list.csv", b"uri,last_modified\n/a,yesterday\n"),
    ],
)
def test_a_broken_manifest_is_refused_in_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    refused(tmp_path / name)
