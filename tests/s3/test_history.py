"""Published runs on a real S3 server: found, held against a listing, brought together."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.servers.s3 import S3Server
from tests.unit.storage.runs.published import publish
from ufd_ray.storage import (
    Inputs,
    Ledger,
    StorageOptions,
    open_filesystem,
    parse_uri,
    published_runs,
    write_current,
    write_manifest,
)
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.objects import write_object

OPTIONS = StorageOptions()


def upload(folder: Path, uri: str) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            key = file.relative_to(folder).as_posix()
            write_object(f"{uri}/{key}", file.read_bytes(), OPTIONS)


@pytest.mark.usefixtures("s3_env")
def test_runs_are_found_among_what_else_lies_there(
    tmp_path: Path, bucket: str, s3_server: S3Server
) -> None:
    for minute, (run_id, success) in enumerate(
        [("b", True), ("a", True), ("half", False), ("two words", True)]
    ):
        publish(tmp_path, run_id, [], minute=minute, success=success)
    upload(tmp_path, f"s3://{bucket}/deep")
    for key in ("deep/runs//odd/_SUCCESS", "deep/runs/../_SUCCESS", "deep/runs/_SUCCESS"):
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=b"")
    runs = published_runs(f"s3://{bucket}/deep", OPTIONS)
    assert [run.run_id for run in runs] == ["b", "a"]
    assert runs[0].uri == f"s3://{bucket}/deep/runs/b"
    assert published_runs(f"s3://{bucket}/else", OPTIONS) == []


@pytest.mark.usefixtures("s3_env")
def test_only_what_changed_is_taken_and_the_newest_row_kept(tmp_path: Path, bucket: str) -> None:
    crawl, root = f"s3://{bucket}/crawl", f"s3://{bucket}/scores"
    for name in "abcde":
        write_object(f"{crawl}/{name}.jpg", name.encode(), OPTIONS)
    rows = [vars(entry) for page in list_prefix(crawl, OPTIONS) for entry in page]
    publish(tmp_path, "first", rows[:4], rows_per_file=2)
    publish(tmp_path, "second", rows[2:4], minute=1)
    upload(tmp_path, root)
    write_object(f"{crawl}/a.jpg", b"changed", OPTIONS)

    folder = f"s3://{bucket}/manifest"
    ledger = Ledger(root, OPTIONS, "detector")
    info = write_manifest(folder, Inputs([crawl]).tables(OPTIONS), OPTIONS, ledger=ledger)
    assert (info.num_images, info.num_unchanged, info.num_older) == (2, 3, 0)
    assert read(f"{folder}/part-00000.parquet")["uri"] == [f"{crawl}/{n}.jpg" for n in "ae"]

    made = write_current(root, 100, OPTIONS)
    assert made.num_images == 4
    newest = read(f"{root}/current/scores/part-00000.parquet")
    assert newest["uri"] == [f"{crawl}/{n}.jpg" for n in "abcd"]
    assert newest["run_id"] == ["first", "first", "second", "second"]


def read(uri: str) -> dict[str, list[object]]:
    location = parse_uri(uri)
    table = pq.read_table(location.path, filesystem=open_filesystem(location, OPTIONS))
    columns: dict[str, list[object]] = table.to_pydict()
    return columns
