"""One object as a seekable file that stays one version of it, read in ranges."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC
from typing import Any, BinaryIO

import obstore
from botocore.exceptions import ClientError
from obstore.exceptions import NotFoundError, PreconditionError

from ufd_ray.storage.entries import ObjectInfo, local_info
from ufd_ray.storage.stores import StorageOptions, open_store, s3_client
from ufd_ray.storage.uris import Location, is_odd_key, parse_uri

_BUFFER = 4 * 2**20
_Get = Callable[[int, int], Any]


def find_local(uri: str) -> tuple[bytes, ObjectInfo]:
    """Path of a local file, and what is known of it.

    Raises:
        FileNotFoundError: no file is there.
    """
    path = os.fsencode(parse_uri(uri).key)
    found = local_info(path)
    if found is None:
        raise FileNotFoundError(f"{uri}: no file is there")
    return path, found


def open_object(
    uri: str, options: StorageOptions, *, buffer_size: int = _BUFFER, timeout_s: float | None = None
) -> tuple[BinaryIO, ObjectInfo]:
    """Open an object for reading at any place.

    Seeks within the buffer cost nothing; others make the next read a request of its own. So small
    steps stream, and large ones skip.

    Args:
        uri: which object.
        options: how storage is reached.
        buffer_size: bytes that one request brings at least; 0: exactly what is read.
        timeout_s: as for `open_store`.

    Returns:
        The file, to be closed, and what is known of the version that it reads. If the object
        changes meanwhile, reading raises obstore's `PreconditionError` (where it has an etag).

    Raises:
        FileNotFoundError: no file is there.
        OSError, obstore.exceptions.BaseError, botocore.exceptions.ClientError: as the storage's
            client raises them.
    """
    location = parse_uri(uri)
    if location.scheme == "file":
        path, found = find_local(uri)
        return open(path, "rb", buffering=-1 if buffer_size else 0), found
    if not location.key or location.key.endswith("/"):
        raise FileNotFoundError(f"{uri}: a prefix, no object")
    if location.scheme == "s3" and is_odd_key(location.key):
        info, get = _through_boto3(uri, location, options)
    else:
        info, get = _through_obstore(uri, location, options, timeout_s)
    ranges: Any = _Ranges(get, info.size_bytes or 0)
    return io.BufferedReader(ranges, buffer_size) if buffer_size else ranges, info


def _through_obstore(
    uri: str, location: Location, options: StorageOptions, timeout_s: float | None
) -> tuple[ObjectInfo, _Get]:
    store = open_store(location.scheme, location.bucket, options, timeout_s)
    try:
        meta = obstore.head(store, location.key)
    except NotFoundError as error:
        raise FileNotFoundError(f"{uri}: nothing is there") from error
    etag = meta["e_tag"]
    same = {"if_match": etag} if etag else {}

    def get(start: int, end: int) -> Any:
        wanted: Any = same | {"range": (start, end)}
        return obstore.get(store, location.key, options=wanted).bytes()

    changed = meta["last_modified"].astimezone(UTC)
    return ObjectInfo(uri, (etag or "").strip('"') or None, meta["size"], changed), get


def _through_boto3(
    uri: str, location: Location, options: StorageOptions
) -> tuple[ObjectInfo, _Get]:
    client, name = s3_client(options), {"Bucket": location.bucket, "Key": location.key}
    try:
        meta = client.head_object(**name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise FileNotFoundError(f"{uri}: nothing is there") from error
        raise

    def get(start: int, end: int) -> Any:
        try:
            answer = client.get_object(
                **name, Range=f"bytes={start}-{end - 1}", IfMatch=meta["ETag"]
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
                raise PreconditionError(f"{uri} changed while it was read") from error
            raise
        with answer["Body"] as body:
            return body.read()

    changed = meta["LastModified"].astimezone(UTC)
    return ObjectInfo(uri, meta["ETag"].strip('"'), meta["ContentLength"], changed), get


class _Ranges(io.RawIOBase):
    def __init__(self, get: _Get, size_bytes: int) -> None:
        self._get, self._size = get, size_bytes
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"no place in a file: {start + offset}")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        end = min(self._place + len(buffer), self._size)
        if end <= self._place:
            return 0
        data = memoryview(self._get(self._place, end))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
