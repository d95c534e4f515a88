from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.storage import Inputs, StorageOptions
from ufd_ray.storage.listing.columns import folder_label
from ufd_ray.storage.listing.named_images import named_images

OPTIONS = StorageOptions()
LISTED = ["uri", "member", "etag", "size_bytes", "last_modified", "offset"]
TIMESTAMP = pa.timestamp("us", tz="UTC")


def read(*uris: str | Path, **how: Any) -> Any:
    """All tables of the inputs as one."""
    return pa.concat_tables(Inputs([str(uri) for uri in uris], **how).tables(OPTIONS))


def refused(manifest: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        read(manifest)
    message = str(caught.value)
    assert message.startswith(f"--input {manifest}: ")
    assert "\n" not in message
    return message


def parquet(table: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
    return "\n".join(lines).encode()


def as_json_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "parquet": lambda rows: parquet(pa.Table.from_pylist(rows)),
    "csv": as_csv,
    "jsonl": as_json_lines,
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.png", "b.json", "x/c.jpg", "x/0_real/d.jpg", "y/1_fake/z/e.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def names_below(folder: Path, table: Any) -> list[str]:
    return [uri.removeprefix(f"{folder}/") for uri in table["uri"].to_pylist()]


# Prefixes


def test_a_prefix_takes_everything(photos: Path) -> None:
    table = read(photos)
    assert table.column_names == LISTED
    text, number = pa.string(), pa.int64()
    assert table.schema.types == [text, text, text, number, TIMESTAMP, number]
    assert table["member"].null_count == table["offset"].null_count == len(table)
    assert sorted(names_below(photos, table)) == sorted(
        ["a.jpg", "b.json", "b.png", "x/0_real/d.jpg", "x/c.jpg", "y/1_fake/z/e.jpg"]
    )
    assert table["size_bytes"].to_pylist() == [len(n) for n in names_below(photos, table)]
    assert table["last_modified"].null_count == 0


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        (["*.png"], [], ["b.png"]),
        (["a*"], [], ["a.jpg"]),
        (["a.*", "b.*"], ["*.json"], ["a.jpg", "b.png"]),
        (["x/*"], [], ["x/0_real/d.jpg", "x/c.jpg"]),
        (["*/0_real/*"], [], ["x/0_real/d.jpg"]),
        ([], ["*.jpg"], ["b.json", "b.png"]),
        (["[ab].[!j]*"], [], ["b.png"]),
        (["A*"], [], []),
        (["*photos*"], [], []),
    ],
)
@pytest.mark.parametrize("spelling", ["plain", "slash", "relative", "dots", "file"])
def test_globs_see_names_below_the_prefix_however_it_is_spelt(
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    include: list[str],
    exclude: list[str],
    kept: list[str],
    spelling: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    prefix = {
        "plain": str(photos),
        "slash": f"{photos}/",
        "relative": "photos",
        "dots": "photos/x/../../photos/.",
        "file": f"file://{photos}",
    }[spelling]
    inputs = Inputs([prefix], include, exclude)
    table = pa.concat_tables(inputs.tables(OPTIONS))
    assert sorted(names_below(photos, table)) == kept
    assert inputs.num_left_out == 6 - len(kept)


def test_globs_see_the_name_of_a_single_file(photos: Path) -> None:
    assert len(read(photos / "a.jpg", include=["a*"])) == 1
    inputs = Inputs([str(photos / "a.jpg")], exclude=["*.jpg"])
    assert sum(map(len, inputs.tables(OPTIONS))) == 0
    assert inputs.num_left_out == 1


def test_globs_see_names_that_are_not_utf8(tmp_path: Path) -> None:
    try:
        (tmp_path / "\udcff x.jpg").write_bytes(b"1")
    except OSError:
        pytest.skip("this file system takes no names but UTF-8")
    (tmp_path / "y.jpg").write_bytes(b"2")
    assert read(tmp_path, include=["? x.jpg"])["uri"].to_pylist() == [
        f"file://{tmp_path}/%FF%20x.jpg"
    ]


def test_labels_by_folder(photos: Path) -> None:
    table = read(photos, by_folder=True)
    assert table.schema.field("label").type == pa.int8()
    assert dict(zip(names_below(photos, table), table["label"].to_pylist(), strict=True)) == {
        "a.jpg": None,
        "b.json": None,
        "b.png": None,
        "x/c.jpg": None,
        "x/0_real/d.jpg": 0,
        "y/1_fake/z/e.jpg": 1,
    }


@pytest.mark.parametrize(
    ("uri", "label"),
    [
        ("/d/progan/airplane/0_real/a.jpg", 0),
        ("s3://b/1_fake/x/y/a.jpg", 1),
        ("s3://b/0_real_not/a.jpg", None),
        ("s3://b/x/not_1_fake/a.jpg", None),
        ("s3://b/0_REAL/a.jpg", None),
        ("a.jpg", None),
    ],
)
def test_label_of_a_path(uri: str, label: int | None) -> None:
    assert folder_label(uri) == label


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("nothing", "empty", "nothing.csv"):
        with pytest.raises(SettingsError, match=f"--input .*{name}: nothing there"):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.tar.gz", "A.TGZ", "a.tar.zst", "photos.zip"])
def test_compressed_archives_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"give an uncompressed \.tar, or unpack it"):
        read(f"s3://bucket/{name}")


def test_a_folder_may_be_named_like_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "list.csv").mkdir()
    (tmp_path / "list.csv" / "a.jpg").touch()
    assert names_below(tmp_path, read(tmp_path / "list.csv")) == ["list.csv/a.jpg"]


def test_several_inputs_come_in_order(photos: Path) -> None:
    table = read(photos / "b.png", photos / "x", photos / "a.jpg")
    assert names_below(photos, table) == ["b.png", "x/c.jpg", "x/0_real/d.jpg", "a.jpg"]


# Manifests


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


def test_a_local_file_in_a_manifest_from_a_bucket_is_refused() -> None:
    table = pa.table({"uri": ["s3://b/a.jpg", "/etc/passwd"]})
    rows = named_images("s3://b/list.csv", [table], ignored=set(), allow_http=False)
    with pytest.raises(SettingsError, match="row 2: a local file"):
        list(rows)


def test_an_etag_may_be_quoted_as_in_http(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps({"uri": "s3://b/a", "etag": '"d41d-2"'}))
    assert read(manifest)["etag"].to_pylist() == ["d41d-2"]


def test_relative_names_are_meant_from_where_the_manifest_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.txt").write_text("a.jpg\nx/100%.jpg\n/abs.jpg\ns3://b/c.jpg\n")
    here = f"{tmp_path}/lists"
    expected = [f"{here}/a.jpg", f"{here}/x/100%.jpg", "/abs.jpg", "s3://b/c.jpg"]
    monkeypatch.chdir(tmp_path)
    for spelling in (f"{here}/list.txt", "lists/list.txt", f"file://{here}/list.txt"):
        assert read(spelling)["uri"].to_pylist() == expected


def test_relative_names_from_a_folder_that_is_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no names but UTF-8")
    (folder / "list.txt").write_text("a b.jpg\n")
    assert read(folder / "list.txt")["uri"].to_pylist() == [f"file://{tmp_path}/%FF/a%20b.jpg"]


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["real", "fake", "REAL", "Fake", "0", "1", None], [0, 1, 0, 1, 0, 1, None]),
        ([0, 1, None], [0, 1, None]),
        ([0.0, 1.0, None], [0, 1, None]),
    ],
)
def test_words_for_labels(tmp_path: Path, words: list[Any], labels: list[int | None]) -> None:
    manifest = tmp_path / "list.parquet"
    uris = [f"/{n}" for n in range(len(words))]
    manifest.write_bytes(parquet(pa.table({"uri": uris, "label": words})))
    table = read(manifest)
    assert table["label"].type == pa.int8()
    assert table["label"].to_pylist() == labels


@pytest.mark.parametrize("label", ["maybe", 2, -1, 0.5, True, ""])
def test_other_words_are_refused(tmp_path: Path, label: Any) -> None:
    manifest = tmp_path / "list.parquet"
    manifest.write_bytes(parquet(pa.table({"uri": ["/a"], "label": [label]})))
    message = refused(manifest)
    assert message.endswith(f"label {str(label).lower()!r}; expected 0 or real, 1 or fake")


def test_a_manifest_without_uri_names_what_it_found(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("url,label\nx,1\n")
    assert refused(manifest).endswith("needs a column `uri`; found ['url', 'label']")


@pytest.mark.parametrize("uris", [["/a", None], [None], ["/a", ""]])
def test_empty_names_are_refused(tmp_path: Path, uris: list[str | None]) -> None:
    manifest = tmp_path / "list.parquet"
    manifest.write_bytes(parquet(pa.table({"uri": pa.array(uris, pa.string())})))
    assert refused(manifest).endswith("the column `uri` has empty cells")


def test_the_scores_own_columns_are_named_as_ignored(tmp_path: Path) -> None:
    manifest = tmp_path / "list.jsonl"
    own = ["verdict", "width", "position", "image_id", "embedding", "pixels", "data"]
    manifest.write_bytes(as_json_lines([{"uri": "/a", "mine": 1} | dict.fromkeys(own, "x")]))
    inputs = Inputs([str(manifest)])
    (table,) = inputs.tables(OPTIONS)
    assert set(table.column_names) == {*LISTED, "mine"}
    assert inputs.ignored_columns == set(own)


def test_a_manifest_may_name_members_of_containers(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,member,offset\nx.tar,1.jpg,512\nx.parquet,007,\nx.jpg,,\n")
    table = read(manifest)
    assert names_below(tmp_path, table) == ["x.tar", "x.parquet", "x.jpg"]
    assert table["member"].to_pylist() == ["1.jpg", "007", None]
    assert table["offset"].to_pylist() == [512, None, None]


def test_members_of_anything_else_are_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,member\ns3://b/x.tar,1.jpg\ns3://b/x.zip,1.jpg\n")
    assert "`member` names images in s3://b/x.zip; expected a .tar" in refused(manifest)


def test_an_offset_without_members_is_somebody_elses(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,offset\n/a.jpg,far away\n")
    inputs = Inputs([str(manifest)])
    (table,) = inputs.tables(OPTIONS)
    assert table["offset"].to_pylist() == [None]
    assert inputs.ignored_columns == {"offset"}


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


def test_a_manifest_may_be_read_by_its_file_uri(tmp_path: Path) -> None:
    (tmp_path / "my list.txt").write_text("/a.jpg")
    assert len(read(f"file://{tmp_path}/my%20list.txt")) == 1
