"""One try at one object: local files, obstore, and boto3 for the keys that obstore cannot name."""

from __future__ import annotations

import os
import stat
from datetime import UTC
from typing import Any

from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.storage.entries import modified_at
from ufd_ray.storage.fetching.threads import in_thread
from ufd_ray.storage.known import (
    Fetched,
    FetchLimits,
    Known,
    check_size,
    check_unchanged,
    check_whole,
)
from ufd_ray.storage.stores import StorageOptions, open_store, s3_client
from ufd_ray.storage.uris import Location, is_odd_key, parse_uri


async def read_object_once(known: Known, options: StorageOptions, limits: FetchLimits) -> Fetched:
    """Read an object of a file system or an object store.

    Raises:
        FetchError: it is too large, no longer the listed one, or broke off.
        Exception: whatever the clients raise; `classify` knows what it means.
    """
    location = parse_uri(known.uri)
    if location.scheme == "file":
        return await in_thread(_read_local, known, location, limits)
    if not is_odd_key(location.key):
        return await _get_obstore(known, location, options, limits)
    if location.scheme == "s3":
        # Made here: two threads must not make it at once.
        client = s3_client(options, options.fetch_timeout_s)
        return await in_thread(_get_boto3, client, known, location, limits)
    raise FetchError(ErrorCode.NOT_FOUND, "a key that only S3 is read with")


async def _get_obstore(
    known: Known, location: Location, options: StorageOptions, limits: FetchLimits
) -> Fetched:
    store = open_store(location.scheme, location.bucket, options, options.fetch_timeout_s)
    wanted: dict[str, Any] = {"if_match": f'"{known.etag}"'} if known.etag else {}
    answer = await store.get_async(location.key, options=wanted)  # type: ignore[arg-type]
    meta = answer.meta
    check_size(meta["size"], limits)
    data = bytes(await answer.bytes_async())
    check_whole(data, meta["size"])
    etag = (meta["e_tag"] or "").strip('"') or None
    now = Known(known.uri, etag, len(data), meta["last_modified"].astimezone(UTC))
    check_unchanged(known, now)
    return Fetched(now, data)


def _get_boto3(client: Any, known: Known, location: Location, limits: FetchLimits) -> Fetched:
    wanted = {"IfMatch": f'"{known.etag}"'} if known.etag else {}
    answer = client.get_object(Bucket=location.bucket, Key=location.key, **wanted)
    with answer["Body"] as body:
        check_size(answer["ContentLength"], limits)
        data = body.read()
    check_whole(data, answer["ContentLength"])
    now = Known(
        known.uri, answer["ETag"].strip('"'), len(data), answer["LastModified"].astimezone(UTC)
    )
    check_unchanged(known, now)
    return Fetched(now, data)


def _read_local(known: Known, location: Location, limits: FetchLimits) -> Fetched:
    # O_NONBLOCK: opening a pipe would wait for a writer for ever.
    fd = os.open(os.fsencode(location.key), os.O_RDONLY | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise FetchError(ErrorCode.NOT_FOUND, "a folder, a pipe or a device, no file")
        check_size(status.st_size, limits)
        now = Known(known.uri, None, status.st_size, modified_at(status))
        check_unchanged(known, now)
        data = file.read(status.st_size + 1)
        if len(data) != status.st_size:
            raise FetchError(
                ErrorCode.CHANGED, f"of {status.st_size} bytes when opened, of others when read"
            )
        return Fetched(now, data)
