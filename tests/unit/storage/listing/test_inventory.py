from __future__ import annotations

import gzip
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.storage import Inputs, StorageOptions

OPTIONS = StorageOptions()
FOLDER = "inventories/crawl/daily"
SCHEMA = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
)
CSV = [
    '"crawl","a+b%2B%281%29.jpg","v1","true","false","5","2026-11-24T03:04:05.000Z","abc","STANDARD"',
    '"crawl","a+b%2B%281%29.jpg","v0","false","false","4","2026-11-23T03:04:05.000Z","old","GLACIER"',
    '"crawl","gone.jpg","v2","true","true","","2026-11-24T03:04:05.000Z","",""',
    '"crawl","folder/","v3","true","false","0","2026-11-24T03:04:05.000Z","d41d","STANDARD"',
    '"crawl","folder/0_real/%C3%A9%2525.png","v4","true","false","7","2026-11-24T03:04:06.000Z","x-2","STANDARD"',
    '"crawl","empty.jpg","v5","true","false","0","2026-11-24T03:04:07.000Z","d41d","STANDARD"',
]
URIS = ["s3://crawl/a b+(1).jpg", "s3://crawl/folder/0_real/é%25.png", "s3://crawl/empty.jpg"]


def write(root: Path, files: dict[str, bytes], kind: str = "CSV", schema: str = SCHEMA) -> Path:
    """An inventory in a copy of the bucket that it lies in."""
    entries = []
    for name, data in files.items():
        path = root / FOLDER / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        sum_ = hashlib.md5(data).hexdigest()
        key = f"{FOLDER}/data/{name}"
        entries.append({"key": key, "size": len(data), "MD5checksum": sum_})
    content = {
        "sourceBucket": "crawl",
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": "1764000000000",
        "fileFormat": kind,
        "fileSchema": schema,
        "files": entries,
    }
    manifest = root / FOLDER / "2026-11-24T01-00Z" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps(content))
    return manifest


def zipped(lines: list[str]) -> bytes:
    return gzip.compress("".join(line + "\n" for line in lines).encode())


def listed(manifest: Path, **how: Any) -> tuple[list[dict[str, Any]], Inputs]:
    inputs = Inputs([str(manifest)], **how)
    return pa.concat_tables(inputs.tables(OPTIONS)).to_pylist(), inputs


def test_csv(tmp_path: Path) -> None:
    files = {"1.csv.gz": zipped(CSV[:4]), "2.csv.gz": zipped(CSV[4:])}
    rows, _ = listed(write(tmp_path, files))
    assert [row["uri"] for row in rows] == URIS
    assert rows[0] == {
        "uri": URIS[0],
        "member": None,
        "etag": "abc",
        "size_bytes": 5,
        "last_modified": datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC),
        "offset": None,
    }


def as_parquet(nothing: str | None) -> bytes:
    # As AWS documents it: names in snake case, keys as they stand.
    moment = datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC)
    rows = [
        ("a b+(1).jpg", True, False, 5, "abc"),
        ("a b+(1).jpg", False, False, 4, "old"),
        ("gone.jpg", True, True, None, nothing),
        ("folder/", True, False, 0, "d41d"),
        ("folder/0_real/é%25.png", True, False, 7, "x-2"),
        ("empty.jpg", True, False, 0, "d41d"),
    ]
    keys, latest, markers, sizes, etags = zip(*rows, strict=True)
    table = pa.table(
        {
            "bucket": ["crawl"] * len(rows),
            "key": keys,
            "version_id": ["v"] * len(rows),
            "is_latest": latest,
            "is_delete_marker": markers,
            "size": pa.array(sizes, pa.int64()),
            "last_modified_date": pa.array([moment] * len(rows), pa.timestamp("ms", tz="UTC")),
            "e_tag": etags,
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize("nothing", ["", None])
def test_parquet(tmp_path: Path, nothing: str | None) -> None:
    schema = "message s3.inventory { required binary bucket (UTF8); … }"
    rows, _ = listed(write(tmp_path, {"1.parquet": as_parquet(nothing)}, "Parquet", schema))
    assert [row["uri"] for row in rows] == URIS
    assert [row["size_bytes"] for row in rows] == [5, 7, 0]
    assert [row["etag"] for row in rows] == ["abc", "x-2", "d41d"]
    assert rows[0]["last_modified"] == datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC)


def test_globs_and_labels_go_by_the_key(tmp_path: Path) -> None:
    manifest = write(tmp_path, {"1.csv.gz": zipped(CSV)})
    rows, inputs = listed(manifest, include=["folder/*"], by_folder=True)
    assert [(row["uri"], row["label"]) for row in rows] == [(URIS[1], 0)]
    assert inputs.num_left_out == 2


def test_an_inventory_of_nothing_but_names(tmp_path: Path) -> None:
    manifest = write(tmp_path, {"1.csv.gz": zipped(['"crawl","a.jpg"'])}, schema="Bucket, Key")
    (row,), _ = listed(manifest)
    assert (row["uri"], row["etag"], row["size_bytes"]) == ("s3://crawl/a.jpg", None, None)


def refused(manifest: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        listed(manifest)
    message = str(caught.value)
    assert message.startswith(f"--input {manifest}: ")
    assert "\n" not in message
    return message


def test_orc_is_refused_in_words(tmp_path: Path) -> None:
    message = refused(write(tmp_path, {"1.orc": b"ORC"}, "ORC"))
    assert "an inventory in ORC is not read; have S3 write CSV or Parquet" in message


def test_a_damaged_data_file_is_refused(tmp_path: Path) -> None:
    manifest = write(tmp_path, {"1.csv.gz": zipped(CSV)})
    (tmp_path / FOLDER / "data" / "1.csv.gz").write_bytes(zipped(CSV[:2]))
    assert "1.csv.gz is damaged (its MD5" in refused(manifest)


def test_a_missing_data_file_is_refused(tmp_path: Path) -> None:
    manifest = write(tmp_path, {"1.csv.gz": zipped(CSV)})
    (tmp_path / FOLDER / "data" / "1.csv.gz").unlink()
    assert "1.csv.gz is not there" in refused(manifest)


@pytest.mark.parametrize(
    ("files", "kind", "schema"),
    [
        ({"1.csv.gz": b"no gzip"}, "CSV", SCHEMA),
        ({"1.csv.gz": zipped(CSV)[:-20]}, "CSV", SCHEMA),
        ({"1.csv.gz": zipped(CSV)}, "CSV", "Bucket, Key"),
        ({"1.csv.gz": zipped(['"crawl","x"'])}, "CSV", "Bucket, Size"),
        ({"1.csv.gz": zipped(['"crawl","%FF.jpg"'])}, "CSV", "Bucket, Key"),
        ({"1.csv.gz": zipped(['"crawl","x","large"'])}, "CSV", "Bucket, Key, Size"),
        ({"1.parquet": b"no Parquet"}, "Parquet", ""),
    ],
)
def test_an_unreadable_data_file_is_refused_in_one_line(
    tmp_path: Path, files: dict[str, bytes], kind: str, schema: str
) -> None:
    assert "cannot be read as an S3 Inventory (" in refused(write(tmp_path, files, kind, schema))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": []}', '"x"'])
def test_another_json_file_is_no_inventory(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert "cannot be read as an S3 Inventory (" in refused(tmp_path / "manifest.json")


def test_entries_without_their_keys_are_refused(tmp_path: Path) -> None:
    manifest = write(tmp_path, {"1.csv.gz": zipped(CSV)})
    manifest.write_text(manifest.read_text().replace('"MD5checksum"', '"Sum"'))
    assert "expected `fileSchema` as text, and `files` with `key`" in refused(manifest)


@pytest.mark.parametrize("files", [None, 3, {}, [None], ["x"], [{"key": 3, "MD5checksum": "x"}]])
def test_files_of_other_types_are_refused(tmp_path: Path, files: Any) -> None:
    manifest = write(tmp_path, {})
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"files": files}))
    assert "expected `fileSchema` as text, and `files` with `key`" in refused(manifest)
