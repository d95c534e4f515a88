"""Objects' names → their bytes, many at once; what went wrong with one is its own result."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from obstore import exceptions as obs

from ufd_ray.errors import ErrorCode, FetchError, SettingsError
from ufd_ray.storage.listing import modified_at
from ufd_ray.storage.stores import StorageOptions, open_store, s3_client
from ufd_ray.storage.uris import Location, parse_uri

_THREADS = ThreadPoolExecutor(32, thread_name_prefix="fetch")
"""For reads that cannot be cancelled. Not asyncio's own threads: it would wait for hung ones."""

# obstore normalises or refuses these (empty, `.` and `..` segments, control characters).
_ODD_KEY = re.compile(r"(^|/)(\.{0,2})(/|$)|[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Known:
    """One object to fetch, with what its listing said of it (None: not known, not checked)."""

    uri: str
    etag: str | None = None
    size_bytes: int | None = None
    last_modified: datetime | None = None


@dataclass(frozen=True)
class Fetched:
    """What came of it: `data`, or `error`; and what is now known of the object."""

    known: Known
    data: bytes | None = None
    error: FetchError | None = None


@dataclass(frozen=True)
class FetchLimits:
    """Bounds of fetching.

    Attributes:
        max_bytes: larger objects are not read (`too_many_bytes`).
        num_concurrent: requests under way at once in one process.
    """

    max_bytes: int = 64 * 2**20
    num_concurrent: int = 32


def fetch(objects: Sequence[Known], options: StorageOptions, limits: FetchLimits) -> list[Fetched]:
    """Fetch objects, in order, each one once: with their bytes or with a `FetchError`.

    An object that is no longer what the listing saw (etag; for local files size and time of
    modification) ends as `changed`: its row must not speak of bytes that nobody listed.
    """
    return asyncio.run(_fetch_all(objects, options, limits))


async def _fetch_all(
    objects: Sequence[Known], options: StorageOptions, limits: FetchLimits
) -> list[Fetched]:
    slots = asyncio.Semaphore(limits.num_concurrent)

    async def bounded(known: Known) -> Fetched:
        async with slots:
            return await _fetch_one(known, options, limits)

    return list(await asyncio.gather(*map(bounded, objects)))


async def _fetch_one(known: Known, options: StorageOptions, limits: FetchLimits) -> Fetched:
    try:
        location = parse_uri(known.uri)
    except SettingsError as error:
        return Fetched(known, error=FetchError(ErrorCode.FORBIDDEN, str(error)))
    try:
        if known.size_bytes is not None:
            _check_size(known.size_bytes, limits)
        async with asyncio.timeout(options.fetch_timeout_s):
            in_thread = partial(asyncio.get_running_loop().run_in_executor, _THREADS)
            if location.scheme == "file":
                return await in_thread(_read_local, known, location, limits)
            if not _ODD_KEY.search(location.key):
                return await _get_obstore(known, location, options, limits)
            if location.scheme == "s3":
                client = s3_client(options)  # made here: two threads must not make it at once
                return await in_thread(_get_boto3, client, known, location, limits)
            raise FetchError(ErrorCode.NOT_FOUND, "a key that only S3 is read with")
    except FetchError as error:
        return Fetched(known, error=error)
    except TimeoutError:
        message = f"no complete answer within {options.fetch_timeout_s:g} s"
        return Fetched(known, error=FetchError(ErrorCode.TIMEOUT, message))
    except Exception as error:  # noqa: BLE001 (one object never ends a run)
        return Fetched(known, error=_classify(error))


async def _get_obstore(
    known: Known, location: Location, options: StorageOptions, limits: FetchLimits
) -> Fetched:
    store = open_store(location.scheme, location.bucket, options, options.fetch_timeout_s)
    wanted: dict[str, Any] = {"if_match": f'"{known.etag}"'} if known.etag else {}
    answer = await store.get_async(location.key, options=wanted)  # type: ignore[arg-type]
    meta = answer.meta
    _check_size(meta["size"], limits)
    data = bytes(await answer.bytes_async())
    etag = (meta["e_tag"] or "").strip('"') or None
    now = Known(known.uri, etag, len(data), meta["last_modified"].astimezone(UTC))
    _check_unchanged(known, now)
    return Fetched(now, data)


def _get_boto3(client: Any, known: Known, location: Location, limits: FetchLimits) -> Fetched:
    wanted = {"IfMatch": f'"{known.etag}"'} if known.etag else {}
    answer = client.get_object(Bucket=location.bucket, Key=location.key, **wanted)
    with answer["Body"] as body:
        _check_size(answer["ContentLength"], limits)
        data = body.read()
    now = Known(
        known.uri, answer["ETag"].strip('"'), len(data), answer["LastModified"].astimezone(UTC)
    )
    _check_unchanged(known, now)
    return Fetched(now, data)


def _read_local(known: Known, location: Location, limits: FetchLimits) -> Fetched:
    # O_NONBLOCK: opening a pipe would wait for a writer for ever.
    fd = os.open(os.fsencode(location.key), os.O_RDONLY | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise FetchError(ErrorCode.NOT_FOUND, "a folder, a pipe or a device, no file")
        _check_size(status.st_size, limits)
        now = Known(known.uri, None, status.st_size, modified_at(status))
        _check_unchanged(known, now)
        data = file.read(status.st_size + 1)
        if len(data) != status.st_size:
            raise FetchError(
                ErrorCode.CHANGED, f"of {status.st_size} bytes when opened, of others when read"
            )
        return Fetched(now, data)


def _check_unchanged(known: Known, now: Known) -> None:
    """Hold an object against its known etag; where either has none, against its size and time.

    Raises:
        FetchError: `changed`.
    """
    if known.etag is not None and now.etag is not None:
        same = known.etag == now.etag
    else:
        same = known.size_bytes in (None, now.size_bytes)
    if same and known.last_modified and now.last_modified and not (known.etag and now.etag):
        then, this = known.last_modified, now.last_modified
        if not (then.microsecond and this.microsecond):  # one of the two was cut to seconds
            then, this = then.replace(microsecond=0), this.replace(microsecond=0)
        same = then == this
    if not same:
        raise FetchError(
            ErrorCode.CHANGED,
            f"listed with etag {known.etag}, {known.size_bytes} bytes of {known.last_modified};"
            f" read with etag {now.etag}, {now.size_bytes} bytes of {now.last_modified}",
        )


def _check_size(size_bytes: int, limits: FetchLimits) -> None:
    if size_bytes > limits.max_bytes:
        raise FetchError(
            ErrorCode.TOO_MANY_BYTES,
            f"{size_bytes} bytes, more than the allowed {limits.max_bytes} (--max-bytes)",
        )


_BY_STATUS = {
    400: ErrorCode.FORBIDDEN,  # what S3 answers to expired or malformed credentials
    401: ErrorCode.FORBIDDEN,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    408: ErrorCode.TIMEOUT,
    412: ErrorCode.CHANGED,
    429: ErrorCode.THROTTLED,
    503: ErrorCode.THROTTLED,
}
_TIMED_OUT = re.compile(r"timed? ?out|deadline", re.IGNORECASE)


def _classify(error: Exception) -> FetchError:
    text = " ".join(str(error).split()).partition(" Debug source:")[0]
    match error:
        case obs.NotFoundError() | FileNotFoundError() | NotADirectoryError() | IsADirectoryError():
            code = ErrorCode.NOT_FOUND
        case ValueError() | ParamValidationError() | OSError(errno=errno.ENAMETOOLONG):
            code = ErrorCode.NOT_FOUND  # a name that nothing can bear
        case obs.PermissionDeniedError() | obs.UnauthenticatedError() | PermissionError():
            code = ErrorCode.FORBIDDEN
        case NoCredentialsError() | PartialCredentialsError():
            code = ErrorCode.FORBIDDEN
        case obs.PreconditionError():
            code = ErrorCode.CHANGED
        case ClientError():
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = _BY_STATUS.get(status, ErrorCode.NETWORK)
        case obs.BaseError():
            code = _code_in(text)
        case HTTPClientError() | OSError():
            code = ErrorCode.TIMEOUT if _TIMED_OUT.search(text) else ErrorCode.NETWORK
        case _:
            code = ErrorCode.NETWORK
    return FetchError(code, text[:500])


def _code_in(text: str) -> ErrorCode:
    # obstore has one class for all that is left; the status stands in its text.
    if status := re.search(r"\b(4\d\d|5\d\d) [A-Z][a-z]+", text):
        return _BY_STATUS.get(int(status[1]), ErrorCode.NETWORK)
    return ErrorCode.TIMEOUT if _TIMED_OUT.search(text) else ErrorCode.NETWORK
