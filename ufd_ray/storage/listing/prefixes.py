"""A prefix → the objects under it, page by page, names as they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC
from functools import partial
from typing import Any

import obstore
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError

from ufd_ray.errors import StorageError
from ufd_ray.storage.entries import ObjectInfo, local_info, raise_unless_gone
from ufd_ray.storage.foreign_errors import explain
from ufd_ray.storage.listing.ahead import in_order
from ufd_ray.storage.listing.splitting import KeyRange, is_within, split_keys
from ufd_ray.storage.stores import StorageOptions, open_store, s3_client
from ufd_ray.storage.uris import Location, object_uri, parse_uri

_PAGE = 1000


def list_prefix(
    uri: str, options: StorageOptions, *, num_threads: int = 8
) -> Iterator[list[ObjectInfo]]:
    """List everything below a folder, recursively; a single object is its own listing.

    `s3://bucket/crawl` means the folder `crawl/`, so that `crawl-2/` is not in it. Zero-byte keys
    that end in `/` are folder markers, no images.

    Args:
        uri: the folder.
        options: how storage is reached.
        num_threads: parts of an S3 prefix that are listed at once; the order is the same.

    Yields:
        Pages of at most 1,000 objects, in the storage's order (local files: sorted).

    Raises:
        FileNotFoundError: nothing at all is there.
        StorageError: it cannot be listed.
    """
    location = parse_uri(uri)
    pages = {"file": _list_local, "s3": _list_s3, "gs": _list_gs}[location.scheme]
    some = False
    try:
        for page in pages(location, options, num_threads):
            if page:
                some = True
                yield page
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "NoSuchBucket":
            raise FileNotFoundError(f"{uri}: there is no bucket {location.bucket!r}") from error
        raise StorageError(f"{uri} cannot be listed: {explain(error)}") from error
    except (BotoCoreError, BaseError, OSError) as error:
        raise StorageError(f"{uri} cannot be listed: {explain(error)}") from error
    if not some:
        raise FileNotFoundError(f"{uri}: no objects there")


def _list_local(location: Location, *_: Any) -> Iterator[list[ObjectInfo]]:
    root = os.fsencode(location.key)
    if (single := local_info(root)) is not None:
        yield [single]
        return
    page: list[ObjectInfo] = []
    for folder, subfolders, names in os.walk(root, onerror=raise_unless_gone):
        subfolders.sort()
        for name in sorted(names):
            if (entry := local_info(os.path.join(folder, name))) is not None:
                page.append(entry)
            if len(page) == _PAGE:
                yield page
                page = []
    yield page


def _list_s3(
    location: Location, options: StorageOptions, num_threads: int
) -> Iterator[list[ObjectInfo]]:
    client, bucket = s3_client(options), location.bucket
    folder = location.key if not location.key or location.key.endswith("/") else location.key + "/"
    some = False
    ranges = split_keys(client, bucket, folder)
    parts = [partial(_list_range, client, bucket, folder, keys) for keys in ranges]
    for entries in in_order(parts, num_threads=num_threads):
        some = some or bool(entries)
        yield [
            _s3_info(bucket, entry)
            for entry in entries
            if entry["Size"] or not entry["Key"].endswith("/")
        ]
    if not some and folder != location.key:
        # Not a folder: perhaps the name of one object.
        answer = client.list_objects_v2(Bucket=bucket, Prefix=location.key, MaxKeys=1)
        entries = [e for e in answer.get("Contents", []) if e["Key"] == location.key]
        yield [_s3_info(bucket, entry) for entry in entries]


def _list_range(client: Any, bucket: str, folder: str, keys: KeyRange) -> Iterator[list[Any]]:
    after, end = keys
    start = {} if after is None else {"StartAfter": after}
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, **start)
    for page in pages:
        entries = page.get("Contents", [])
        yield [entry for entry in entries if is_within(entry["Key"], end)]
        if entries and not is_within(entries[-1]["Key"], end):
            return


def _s3_info(bucket: str, entry: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        object_uri("s3", bucket, entry["Key"]),
        entry["ETag"].strip('"'),
        entry["Size"],
        entry["LastModified"].astimezone(UTC),
    )


def _list_gs(location: Location, options: StorageOptions, _: int) -> Iterator[list[ObjectInfo]]:
    store = open_store("gs", location.bucket, options)
    some = False
    for page in obstore.list(store, location.key.rstrip("/") or None, chunk_size=_PAGE):
        some = some or bool(page)
        yield [_gs_info(location.bucket, entry) for entry in page if not _is_marker(entry)]
    if not some and location.key:
        yield [_gs_info(location.bucket, obstore.head(store, location.key))]


def _is_marker(entry: Any) -> bool:
    return not entry["size"] and entry["path"].endswith("/")


def _gs_info(bucket: str, entry: Any) -> ObjectInfo:
    return ObjectInfo(
        object_uri("gs", bucket, entry["path"]),
        (entry["e_tag"] or "").strip('"') or None,
        entry["size"],
        entry["last_modified"].astimezone(UTC),
    )
