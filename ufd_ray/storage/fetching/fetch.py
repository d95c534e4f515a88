"""Images' names → their bytes, many at once; what went wrong with one is its own result.

Each image gets a few tries as long as its errors are transient. Within a try obstore asks again
twice by itself, soon and from where the body broke off; between tries the waits grow, so that a
server that throttles is left alone and one that is started anew is waited for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

from ufd_ray.errors import ErrorCode, FetchError, SettingsError
from ufd_ray.redaction import redact
from ufd_ray.storage.containers.members import read_members
from ufd_ray.storage.fetching.object_reads import read_object_once
from ufd_ray.storage.fetching.threads import in_thread
from ufd_ray.storage.foreign_errors import classify
from ufd_ray.storage.known import Fetched, FetchLimits, Known, check_size
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import is_http

_LONGEST_WAIT_S = 60.0


def fetch(objects: Sequence[Known], options: StorageOptions, limits: FetchLimits) -> list[Fetched]:
    """Fetch images. Never raises for one of them: what went wrong with it is its own result.

    An object that is no longer what the listing saw (etag; without one, size and time of
    modification) ends as `changed`: its row must not speak of bytes that nobody listed.

    Args:
        objects: images, with what their listing knew of them.
        options: how storage is reached; `fetch_timeout_s` bounds one try at one image.
        limits: bounds of fetching.

    Returns:
        One result an image, in order: its bytes, or a `FetchError`.
    """
    return asyncio.run(_fetch_all(objects, options, limits))


async def _fetch_all(
    objects: Sequence[Known], options: StorageOptions, limits: FetchLimits
) -> list[Fetched]:
    slots = asyncio.Semaphore(limits.num_concurrent)
    results = [Fetched(known) for known in objects]

    async def fill(rows: list[int]) -> None:
        for attempt in range(1, limits.num_attempts + 1):
            async with slots:
                tried = await _try([objects[row] for row in rows], options, limits)
            last = attempt == limits.num_attempts
            for row, result in zip(rows, tried, strict=True):
                results[row] = _given_up(result, attempt) if last else result
            rows = [row for row in rows if _may_pass(results[row])]
            if last or not rows:
                return
            await asyncio.sleep(_wait_s(attempt, limits))

    await asyncio.gather(*map(fill, _together(objects)))
    return results


def _together(objects: Sequence[Known]) -> list[list[int]]:
    """Rows that are read at once: all members of one version of a container; others by themselves.

    So a container is opened once a batch, whatever the number of its images.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, known in enumerate(objects):
        key = (row,) if known.member is None else (known.uri, known.etag)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _may_pass(result: Fetched) -> bool:
    return result.error is not None and result.error.code.transient


def _given_up(result: Fetched, num_attempts: int) -> Fetched:
    if result.error is None or not result.error.code.transient:
        return result
    tries = "1 attempt" if num_attempts == 1 else f"{num_attempts} attempts"
    message = f"{result.error.message[:450]} (given up after {tries})"
    return replace(result, error=FetchError(result.error.code, message))


def _wait_s(attempt: int, limits: FetchLimits) -> float:
    # By default 1, 5 and 25 seconds: together more than a server's restart takes.
    wait_s = min(_LONGEST_WAIT_S, limits.first_wait_s * 5.0 ** (attempt - 1))
    return wait_s * random.uniform(0.75, 1.25)


async def _try(group: list[Known], options: StorageOptions, limits: FetchLimits) -> list[Fetched]:
    # Members come one after the other: their times add up.
    patience_s = options.fetch_timeout_s * len(group)
    try:
        async with asyncio.timeout(patience_s):
            return await _read(group, options, limits)
    except SettingsError as fault:
        error = FetchError(ErrorCode.FORBIDDEN, redact(str(fault)))
    except TimeoutError:
        error = FetchError(ErrorCode.TIMEOUT, f"no complete answer within {patience_s:g} s")
    except Exception as foreign:  # noqa: BLE001 (one object never ends a run)
        error = classify(foreign)
    return [Fetched(known, error=error) for known in group]


async def _read(group: list[Known], options: StorageOptions, limits: FetchLimits) -> list[Fetched]:
    known = group[0]
    if known.member is not None:
        found = await in_thread(read_members, known.uri, group, options, limits)
        return [_as_fetched(*pair) for pair in zip(group, found, strict=True)]
    if known.size_bytes is not None:
        check_size(known.size_bytes, limits)
    if is_http(known.uri):
        # Its client takes a third of a second to import, and most runs never need it.
        from ufd_ray.storage.fetching.http_reads import read_http_once

        return [await read_http_once(known, limits)]
    return [await read_object_once(known, options, limits)]


def _as_fetched(known: Known, found: bytes | FetchError) -> Fetched:
    if isinstance(found, FetchError):
        return Fetched(known, error=found)
    return Fetched(replace(known, size_bytes=len(found)), found)
