"""A proxy in front of an S3 server that fails on purpose, and counts what it is asked for.

Requests pass as they are, `Host` included, so that signatures stay valid. Faults are drawn from a
seeded generator, a share of the requests each; `Modes` may be changed while it runs.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_HEAD_BYTES = 2**16


@dataclass
class Modes:
    """What goes wrong. Shares are probabilities, 0–1; of one request at most one of them happens.

    Attributes:
        slow_down: GETs of objects that are answered 503 SlowDown.
        reset_before: … whose connection is reset instead of an answer.
        reset_mid: … whose connection is reset after half of the body.
        truncate: … whose connection is closed in good order after half of the body.
        stall: … of whose body only half comes, and then nothing.
        delay_s: seconds by which every answer comes late.
        put_error: PUTs that are answered 500 InternalError and not passed on.
        put_room_bytes: PUTs beyond so many bytes altogether are refused; None: there is room.
        put_refusal: with which code: `QuotaExceeded` or `AccessDenied`.
        only: faults befall only paths that contain this.
    """

    slow_down: float = 0.0
    reset_before: float = 0.0
    reset_mid: float = 0.0
    truncate: float = 0.0
    stall: float = 0.0
    delay_s: float = 0.0
    put_error: float = 0.0
    put_room_bytes: int | None = None
    put_refusal: str = "QuotaExceeded"
    only: str = ""


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: str
    head: bytes
    body: bytes

    @property
    def kind(self) -> str:
        """`get`, `put`, `list`, or the method of another one in small letters."""
        whole = self.path.strip("/").count("/") == 0
        return "list" if whole and self.method == "GET" else self.method.lower()


@dataclass
class FaultyServer:
    """The proxy. Listens while it is started, always on the same port.

    Attributes:
        upstream: URL of the server behind it.
        modes: what goes wrong now.
        seed: of the draws.
        gets: GETs of each object, by path (`/bucket/key`), faults included.
        num_heads: HEADs of objects.
        num_puts: PUTs of objects and of parts of them, faults included.
        num_lists: listings.
        num_faults: requests that were spoilt.
    """

    upstream: str
    modes: Modes = field(default_factory=Modes)
    seed: int = 0
    gets: Counter[str] = field(default_factory=Counter)
    num_heads: int = 0
    num_puts: int = 0
    num_lists: int = 0
    num_faults: int = 0

    def __post_init__(self) -> None:
        self._draws = random.Random(self.seed)
        self._put_bytes = 0
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def num_gets(self) -> int:
        """GETs of objects."""
        return self.gets.total()

    def forget_counts(self) -> None:
        """Count from zero again."""
        self.gets.clear()
        self.num_heads = self.num_puts = self.num_lists = self.num_faults = 0

    def start(self) -> None:
        """Listen (again)."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        """Stop listening and reset every connection, as a server does that is killed."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, limit=_HEAD_BYTES, backlog=512
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._open):
            _reset(writer)
        while self._open:  # each leaves by itself now
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _read_request(reader, writer)) is not None:
                self._count(request)
                if not await self._answer(request, reader, writer):
                    break
        except (OSError, EOFError, ValueError):
            _reset(writer)  # either side is gone
        finally:
            self._open.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _count(self, request: _Request) -> None:
        match request.kind:
            case "get":
                self.gets[unquote(request.path)] += 1
            case "head":
                self.num_heads += 1
            case "put":
                self.num_puts += 1
            case "list":
                self.num_lists += 1

    async def _answer(
        self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; whether the connection goes on."""
        await asyncio.sleep(self.modes.delay_s)
        fault = self._draw(request)
        if fault:
            self.num_faults += 1
        if fault in _REFUSALS:
            writer.write(_refusal(fault))
            await writer.drain()
            return True
        if fault == "reset_before":
            _reset(writer)
            return False
        answer = await self._forward(request)
        if not fault:
            writer.write(answer)
            await writer.drain()
            return True
        head, mark, body = answer.partition(b"\r\n\r\n")
        writer.write(head + mark + body[: len(body) // 2])
        await writer.drain()
        if fault == "stall":
            await reader.read()  # until the other side gives up
        elif fault == "reset_mid":
            await asyncio.sleep(0.02)  # a reset overtakes what was not read yet
            _reset(writer)
        return False

    def _draw(self, request: _Request) -> str:
        modes = self.modes
        if modes.only not in unquote(request.path):
            return ""
        shares: tuple[str, ...] = ()
        if request.kind == "get":
            shares = ("slow_down", "reset_before", "reset_mid", "truncate", "stall")
        elif request.kind == "put":
            shares = ("put_error",)
            if modes.put_room_bytes is not None:
                if self._put_bytes + len(request.body) > modes.put_room_bytes:
                    return modes.put_refusal
                self._put_bytes += len(request.body)
        draw = self._draws.random()
        for name in shares:
            draw -= getattr(modes, name)
            if draw < 0:
                return name
        return ""

    async def _forward(self, request: _Request) -> bytes:
        address = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(_replaced(request.head, b"close") + request.body)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        return _replaced(answer, b"keep-alive")


@contextmanager
def faulty(upstream: str, modes: Modes | None = None, seed: int = 0) -> Iterator[FaultyServer]:
    """Run the proxy for as long as the block lasts."""
    server = FaultyServer(upstream, modes or Modes(), seed)
    server.start()
    try:
        yield server
    finally:
        server.close()


async def _read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> _Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None  # the other side has hung up
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    fields = {name.lower(): value.strip() for name, _, value in (i.partition(":") for i in lines)}
    if "expect" in fields:  # answered here: who is behind us is asked only once the body is there
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(fields.get("content-length", 0)))
    path, _, query = target.partition("?")
    return _Request(method, path, query, head, body)


def _replaced(message: bytes, connection: bytes) -> bytes:
    """A message with another `Connection` header (no signature covers it), and no `Expect`."""
    head, mark, body = message.partition(b"\r\n\r\n")
    kept = [
        line
        for line in head.split(b"\r\n")
        if not line.lower().startswith((b"connection:", b"expect:"))
    ]
    return b"\r\n".join([*kept, b"Connection: " + connection]) + mark + body


_REFUSALS = {
    "slow_down": ("503 Service Unavailable", "SlowDown"),
    "put_error": ("500 Internal Server Error", "InternalError"),
    "QuotaExceeded": ("403 Forbidden", "QuotaExceeded"),
    "AccessDenied": ("403 Forbidden", "AccessDenied"),
}


def _refusal(fault: str) -> bytes:
    status, code = _REFUSALS[fault]
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>…</Message></Error>'.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Drop the connection with RST rather than FIN."""
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
