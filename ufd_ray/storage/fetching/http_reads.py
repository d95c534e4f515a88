"""One try at one image on the web, whose address a stranger chose.

A name is resolved once, every answer is checked, and the connection goes to one of those very
addresses: a second answer of the name server could be another one. Every redirect is a new URL.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from ufd_ray._version import __version__
from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.redaction import redact
from ufd_ray.storage.fetching.addresses import refused_kind
from ufd_ray.storage.fetching.threads import in_thread
from ufd_ray.storage.foreign_errors import code_of_status
from ufd_ray.storage.known import (
    Fetched,
    FetchLimits,
    Known,
    check_size,
    check_unchanged,
    check_whole,
)

_NUM_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK_BYTES = 64 * 1024
# The whole try is bounded by whoever waits for it.
_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10)
_HEADERS = {
    "User-Agent": f"ufd-ray/{__version__}",
    "Accept": "image/*, */*;q=0.1",
    "Accept-Encoding": "identity",
}


async def read_http_once(
    known: Known,
    limits: FetchLimits,
    refused: Callable[[str], str | None] = refused_kind,
) -> Fetched:
    """GET an image. No proxy, no cookies, no credentials of the machine.

    Args:
        known: what is to be read.
        limits: bounds of fetching.
        refused: address → why it is not asked, or None.

    Raises:
        FetchError: it is refused, gone, too large, changed, or broke off.
        Exception: whatever the client raises; `classify` knows what it means.
    """
    if not limits.allow_http:
        raise FetchError(ErrorCode.FORBIDDEN, "http(s):// is not read without --allow-http")
    url = URL(known.uri)
    for _ in range(_NUM_REDIRECTS + 1):
        answer = await _get(url, known, limits, refused)
        if isinstance(answer, Fetched):
            return answer
        url = answer
    raise FetchError(ErrorCode.FORBIDDEN, f"more than {_NUM_REDIRECTS} redirects")


async def _get(
    url: URL, known: Known, limits: FetchLimits, refused: Callable[[str], str | None]
) -> Fetched | URL:
    """The image, or where it is said to be."""
    if url.scheme not in ("http", "https") or not url.raw_host or not url.port:
        raise FetchError(ErrorCode.FORBIDDEN, f"leads to {url.scheme}://, no http(s)://")
    addresses = await in_thread(_resolve, url.raw_host, url.port, refused)
    # Without the user and password that a redirect may name: they are nobody's business.
    url, host = url.with_user(None), url.host_port_subcomponent or ""
    async with aiohttp.ClientSession(
        timeout=_PATIENCE,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as session:
        for number, address in enumerate(addresses, 1):
            try:
                answer = await session.get(
                    url.with_host(address),
                    headers=_HEADERS | {"Host": host},
                    server_hostname=url.raw_host if url.scheme == "https" else None,
                    allow_redirects=False,
                )
                break
            except aiohttp.ClientConnectorCertificateError as error:
                raise FetchError(ErrorCode.FORBIDDEN, f"no valid certificate of {host}") from error
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                if number == len(addresses):
                    raise
        async with answer:
            if answer.status in _REDIRECTS and "Location" in answer.headers:
                return url.join(URL(answer.headers["Location"]))
            if answer.status != 200:
                raise FetchError(
                    code_of_status(answer.status), f"{redact(str(url))} answered {answer.status}"
                )
            data = await _body(answer, limits)
            now = Known(known.uri, _etag(answer), len(data), _last_modified(answer))
            check_unchanged(known, now)
            return Fetched(now, data)


def _resolve(host: str, port: int, refused: Callable[[str], str | None]) -> list[str]:
    # The resolver also knows 127.1, 0x7f000001 and 2130706433; what it makes of them is checked.
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        gone = error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        code = ErrorCode.NOT_FOUND if gone else ErrorCode.NETWORK
        raise FetchError(code, f"no address of {host}: {error.strerror}") from error
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in found))
    for address in addresses:
        if kind := refused(address):
            raise FetchError(ErrorCode.FORBIDDEN, f"{host} has an address that is {kind}")
    return addresses


async def _body(answer: aiohttp.ClientResponse, limits: FetchLimits) -> bytes:
    announced = answer.content_length
    check_size(announced or 0, limits)
    data = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        data += chunk
        check_size(len(data), limits)
    check_whole(data, len(data) if announced is None else announced)
    return bytes(data)


def _etag(answer: aiohttp.ClientResponse) -> str | None:
    tag = answer.headers.get("ETag", "").strip()
    # A weak one (W/"…") does not speak of bytes.
    return None if tag.startswith("W/") else tag.strip('"') or None


def _last_modified(answer: aiohttp.ClientResponse) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers["Last-Modified"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
