"""Manifests of every kind: what their values become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from tests.unit.storage.listing.input_tables import (
    LISTED,
    OPTIONS,
    TIMESTAMP,
    WRITERS,
    as_json_lines,
    names_below,
    parquet,
    read,
)
from ufd_ray.storage import Inputs


@pytest.mark.parametrize("kind", WRITERS)
def test_a_manifest_of_every_kind(tmp_path: Path, kind: str) -> None:
    manifest = tmp_path / f"list.{kind.upper() if kind == 'csv' else kind}"
    rows = [
        {"uri": "s3://b/a.jpg", "label": 1, "source": "web", "score": 0.5, "n": 7},
        {"uri": "/data/b.jpg", "label": 0, "source": "cam", "score": 1.5, "n": 8},
    ]
    manifest.write_bytes(WRITERS[kind](rows))
    table = read(manifest)
    assert set(table.column_names) == {*LISTED, "label", "source", "score", "n"}
    assert table["uri"].to_pylist() == ["s3://b/a.jpg", "/data/b.jpg"]
    assert table["label"].to_pylist() == [1, 0]
    types = {field.name: field.type for field in table.schema}
    assert types == {
        "uri": pa.string(),
        "member": pa.string(),
        "offset": pa.int64(),
        "etag": pa.string(),
        "size_bytes": pa.int64(),
        "last_modified": TIMESTAMP,
        "label": pa.int8(),
        "source": pa.string(),
        "score": pa.float64(),
        "n": pa.int64(),
    }


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_text_manifest(tmp_path: Path, ends: str, mark: str) -> None:
    manifest = tmp_path / "list.txt"
    names = ["s3://b/a b.jpg", "", "s3://b/c,d#.jpg", "  ", "rel.jpg"]
    manifest.write_bytes((mark + ends.join(names)).encode())
    expected = ["s3://b/a b.jpg", "s3://b/c,d#.jpg", f"{tmp_path}/rel.jpg"]
    assert read(manifest)["uri"].to_pylist() == expected


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path, kind: str) -> None:
    manifest = tmp_path / f"list.{kind}"
    manifest.write_bytes(b"\xef\xbb\xbf" + WRITERS[kind]([{"uri": "/a.jpg"}]))
    assert read(manifest)["uri"].to_pylist() == ["/a.jpg"]


def test_a_csv_with_commas_quotes_and_newlines_in_values(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text('uri,note\n"s3://b/a,b\n""c"".jpg","two\nlines"\ns3://b/d.jpg,plain\n')
    table = read(manifest)
    assert table["uri"].to_pylist() == ['s3://b/a,b\n"c".jpg', "s3://b/d.jpg"]
    assert table["note"].to_pylist() == ["two\nlines", "plain"]


def test_newlines_in_values_are_no_rows_wherever_the_reader_cuts(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    note = "ten signs\n" * 40_000  # Arrow reads a mebibyte at a time
    manifest.write_text("uri,note\n" + "".join(f'/{n},"{note}"\n' for n in range(8)))
    table = read(manifest)
    assert table["uri"].to_pylist() == [f"/{n}" for n in range(8)]
    assert set(table["note"].to_pylist()) == {note}


def test_words_of_a_csv_that_look_like_nothing_stay(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,country,source\nNA,NA,null\nnull,DE,NA\nnan,,\n")
    table = read(manifest)
    assert names_below(tmp_path, table) == ["NA", "null", "nan"]
    assert table["country"].to_pylist() == ["NA", "DE", None]
    assert table["source"].to_pylist() == ["null", "NA", None]


def test_a_csvs_numbers_as_names_are_text(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,source,split\n00123,007,1\n")
    table = read(manifest)
    assert names_below(tmp_path, table) == ["00123"]
    assert (table["source"].to_pylist(), table["split"].to_pylist()) == (["007"], ["1"])


def test_json_lines_may_differ_in_their_keys(tmp_path: Path) -> None:
    manifest = tmp_path / "list.jsonl"
    manifest.write_bytes(as_json_lines([{"uri": "/a"}, {"uri": "/b", "label": "fake", "n": 1}]))
    table = read(manifest)
    assert table["label"].to_pylist() == [None, 1]
    assert table["n"].to_pylist() == [None, 1]


def test_carried_columns_keep_their_types(tmp_path: Path) -> None:
    carried = {
        "decimal": pa.array([1, 2], pa.decimal128(5, 2)),
        "day": pa.array([0, 1], pa.date32()),
        "tags": pa.array([["a"], []], pa.list_(pa.string())),
        "small": pa.array([1, None], pa.int8()),
        "deep": pa.array([{"x": 1}, None], pa.struct([("x", pa.uint16())])),
    }
    manifest = tmp_path / "list.parquet"
    manifest.write_bytes(parquet(pa.table({"uri": ["/a", "/b"], **carried})))
    table = read(manifest)
    for name, column in carried.items():
        assert table[name].type == column.type, name
        assert table[name].to_pylist() == column.to_pylist()


def test_categories_are_carried_as_their_values(tmp_path: Path) -> None:
    kinds = ["a", "b", None]
    columns = {"uri": ["/a", "/b", "/c"], "kind": pa.array(kinds).dictionary_encode()}
    manifest = tmp_path / "list.parquet"
    manifest.write_bytes(parquet(pa.table(columns)))
    assert read(manifest)["kind"].type == pa.string()
    assert read(manifest)["kind"].to_pylist() == kinds


def test_what_a_manifest_knows_of_objects_is_taken_over(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    manifest = tmp_path / "list.parquet"
    columns = {
        "uri": ["s3://b/a"],
        "etag": ["abc"],
        "size_bytes": pa.array([5], pa.int32()),
        "last_modified": pa.array([moment], pa.timestamp("ns", tz="UTC")),
    }
    manifest.write_bytes(parquet(pa.table(columns)))
    (row,) = read(manifest).to_pylist()
    known = {"uri": "s3://b/a", "etag": "abc", "size_bytes": 5, "last_modified": moment}
    assert row == known | {"member": None, "offset": None}


@pytest.mark.parametrize(
    "moment", ["2024-05-06T07:08:09Z", "2024-05-06 09:08:09+02:00", "2024-05-06 07:08:09"]
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_times_as_text(tmp_path: Path, kind: str, moment: str) -> None:
    manifest = tmp_path / f"list.{kind}"
    manifest.write_bytes(WRITERS[kind]([{"uri": "/a", "last_modified": moment}]))
    expected = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert read(manifest)["last_modified"].to_pylist() == [expected]


def test_a_manifest_is_read_in_batches(tmp_path: Path) -> None:
    rows = [{"uri": f"/{n}", "n": n} for n in range(25_000)]
    for kind, write in WRITERS.items():
        manifest = tmp_path / f"list.{kind}"
        manifest.write_bytes(write(rows))
        tables = list(Inputs([str(manifest)]).tables(OPTIONS))
        assert {table.schema for table in tables} == {tables[0].schema}
        assert [n for table in tables for n in table["n"].to_pylist()] == [*range(25_000)]
        if kind != "csv":  # which goes by bytes
            assert max(map(len, tables)) <= 10_000


def test_an_etag_may_be_quoted_as_in_http(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps({"uri": "s3://b/a", "etag": '"d41d-2"'}))
    assert read(manifest)["etag"].to_pylist() == ["d41d-2"]


def test_a_manifest_may_be_read_by_its_file_uri(tmp_path: Path) -> None:
    (tmp_path / "my list.txt").write_text("/a.jpg")
    assert len(read(f"file://{tmp_path}/my%20list.txt")) == 1
