"""Every kind of input over a real S3 server: what is listed, and the bytes that it leads to."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.servers.s3 import S3Server
from ufd_ray.errors import ErrorCode, SettingsError
from ufd_ray.storage import FetchLimits, Inputs, Known, StorageOptions, fetch
from ufd_ray.storage.listing import splitting
from ufd_ray.storage.listing.prefixes import list_prefix

OPTIONS = StorageOptions()
KNOWN = ["uri", "etag", "size_bytes", "last_modified", "member", "offset"]

pytestmark = pytest.mark.usefixtures("s3_env")


@pytest.fixture
def client(s3_server: S3Server) -> Any:
    return s3_server.client()


def as_tar(members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return sink.getvalue()


def as_parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=2)
    return sink.getvalue()


def listed(*uris: str, **how: Any) -> list[dict[str, Any]]:
    return pa.concat_tables(Inputs(uris, **how).tables(OPTIONS)).to_pylist()


def fetched(rows: list[dict[str, Any]]) -> list[bytes | ErrorCode | None]:
    known = [Known(**{name: row[name] for name in KNOWN}) for row in rows]
    limits = FetchLimits(num_attempts=1)
    return [f.error.code if f.error else f.data for f in fetch(known, OPTIONS, limits)]


def test_tars(client: Any, bucket: str) -> None:
    contents = {f"{n}.jpg": f"image {n}".encode() * 1000 for n in range(50)}
    sidecars = {f"{n}.json": b"{}" for n in range(50)}
    # Larger than what one request brings, so that headers are skipped to, too.
    contents["large.png"] = b"x" * 9_000_000
    members = dict(sorted((contents | sidecars).items()))
    for name in ("shards/00.tar", "shards/01.tar", "odd//a b.tar"):
        client.put_object(Bucket=bucket, Key=name, Body=as_tar(members))
    rows = listed(f"s3://{bucket}/shards/{{00..01}}.tar")
    assert [row["member"] for row in rows] == sorted(contents) * 2
    assert fetched(rows) == [contents[row["member"]] for row in rows]
    assert fetched([row | {"offset": None} for row in rows[:3]]) == fetched(rows[:3])

    odd = listed(f"s3://{bucket}/odd//a b.tar")
    assert [row["member"] for row in odd] == sorted(contents)
    assert fetched(odd[:3]) == [contents[row["member"]] for row in odd[:3]]

    client.put_object(Bucket=bucket, Key="shards/00.tar", Body=as_tar(sidecars))
    half = len(rows) // 2
    assert fetched(rows[:half]) == [ErrorCode.CHANGED] * half
    client.delete_object(Bucket=bucket, Key="shards/01.tar")
    assert fetched(rows[half:]) == [ErrorCode.NOT_FOUND] * half
    with pytest.raises(SettingsError, match=r"01\.tar: nothing there"):
        listed(f"s3://{bucket}/shards/01.tar")


def test_parquet_with_images(client: Any, bucket: str) -> None:
    images = [f"image {n}".encode() * 100 for n in range(5)]
    data = as_parquet(image=[{"bytes": i, "path": None} for i in images], n=range(5))
    client.put_object(Bucket=bucket, Key="images.parquet", Body=data)
    rows = listed(f"s3://{bucket}/images.parquet")
    assert [(row["member"], row["n"]) for row in rows] == [(str(n), n) for n in range(5)]
    assert fetched(rows[::-1]) == images[::-1]
    client.put_object(Bucket=bucket, Key="images.parquet", Body=as_parquet(image=[b"1"]))
    assert fetched(rows) == [ErrorCode.CHANGED] * 5


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "txt"])
def test_manifests(client: Any, bucket: str, kind: str) -> None:
    names = [f"photos/{n}.jpg" for n in range(3)]
    bodies = {
        "csv": ("\n".join(["uri", *names])).encode(),
        "jsonl": "\n".join(json.dumps({"uri": name}) for name in names).encode(),
        "parquet": as_parquet(uri=names),
        "txt": "\n".join(names).encode(),
    }
    client.put_object(Bucket=bucket, Key=f"odd//list.{kind}", Body=bodies[kind])
    rows = listed(f"s3://{bucket}/odd//list.{kind}")
    assert [row["uri"] for row in rows] == [f"s3://{bucket}/odd/{name}" for name in names]


def test_a_prefix_may_be_named_like_a_manifest(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="list.csv/a.jpg", Body=b"1")
    rows = listed(f"s3://{bucket}/list.csv")
    assert [row["uri"] for row in rows] == [f"s3://{bucket}/list.csv/a.jpg"]


def test_an_inventory(client: Any, bucket: str) -> None:
    etag = client.put_object(Bucket=bucket, Key="a b+c.jpg", Body=b"image")["ETag"].strip('"')
    moment = "2026-11-24T03:04:05.000Z"
    data = gzip.compress(f'"{bucket}","a+b%2Bc.jpg","5","{moment}","{etag}"\n'.encode())
    key = "inventories/data/1.csv.gz"
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate, ETag",
        "files": [
            {"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()},
        ],
    }
    client.put_object(Bucket=bucket, Key=key, Body=data)
    place = "inventories/2026-11-24T01-00Z/manifest.json"
    client.put_object(Bucket=bucket, Key=place, Body=json.dumps(manifest).encode())
    rows = listed(f"s3://{bucket}/{place}")
    assert [row["uri"] for row in rows] == [f"s3://{bucket}/a b+c.jpg"]
    assert fetched(rows) == [b"image"]
    client.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(SettingsError, match=r"1\.csv\.gz is not there"):
        listed(f"s3://{bucket}/{place}")


FOLDERS = ["", "a/", "a/b/", "a//", "a.b/", "é/", "\U0001f600/", "\ufffd/", "a b%41+/", "z/y/x/"]


def test_a_split_listing_is_the_flat_one(
    client: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{n}.jpg" for n in range(120)] + ["a b#%41+?.jpg", "./x", "../x", "t\tu", "é"]
    keys = [f"p/q/{folder}{name}" for folder in FOLDERS for name in names]
    markers = [f"p/q/{folder}" for folder in FOLDERS[1:]]
    with ThreadPoolExecutor(8) as threads:
        put = [
            threads.submit(client.put_object, Bucket=bucket, Key=key, Body=body)
            for body, some in ((b"1", keys), (b"", markers), (b"1", ["p-2/a.jpg", "o/a.jpg"]))
            for key in some
        ]
        for answer in put:
            answer.result()
    expected = [f"s3://{bucket}/{key}" for key in sorted(keys, key=str.encode)]
    assert len(splitting.split_keys(client, bucket, "p/")) > 5
    for num_threads in (1, 8):
        for prefix in ("p", "p/", "p/q"):
            pages = list_prefix(f"s3://{bucket}/{prefix}", OPTIONS, num_threads=num_threads)
            found = [entry.uri for page in pages for entry in page]
            assert found == expected
    monkeypatch.setattr("ufd_ray.storage.listing.prefixes.split_keys", lambda *_: [(None, None)])
    flat = [entry.uri for page in list_prefix(f"s3://{bucket}/p/q", OPTIONS) for entry in page]
    assert flat == expected
