from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ufd_ray import __version__
from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.storage import Fetched, FetchLimits, Known, StorageOptions, fetch
from ufd_ray.storage.fetching.http_reads import read_http_once
from ufd_ray.storage.foreign_errors import classify

OPEN = FetchLimits(allow_http=True, max_bytes=1000, first_wait_s=0)
IMAGE = bytes(range(256))


def anything(_: str) -> None:
    """No address is refused: the servers here are on loopback."""


class Site(ThreadingHTTPServer):
    """A web server on loopback that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.let_go = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        kind, _, argument = self.path.strip("/").partition("/")
        getattr(self, f"answer_{kind}")(argument)

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, headers: dict[str, str], body: bytes, length: int) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(length)} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def answer_image(self, _: str) -> None:
        tags = {"ETag": '"abc"', "Last-Modified": "Tue, 24 Nov 2026 18:00:00 GMT"}
        self.reply(200, tags | {"Set-Cookie": "a=b"}, IMAGE, len(IMAGE))

    def answer_weak(self, _: str) -> None:
        self.reply(200, {"ETag": 'W/"abc"', "Last-Modified": "yesterday"}, IMAGE, len(IMAGE))

    def answer_status(self, status: str) -> None:
        self.reply(int(status.partition("?")[0]), {}, b"Authorization: Basic aHVudGVyMg", 31)

    def answer_to(self, target: str) -> None:
        self.reply(302, {"Location": unquote(target), "Set-Cookie": "a=b"}, b"", 0)

    def answer_count(self, rest: str) -> None:
        self.answer_to("/image" if rest == "0" else f"/count/{int(rest) - 1}")

    def answer_short(self, _: str) -> None:
        self.reply(200, {}, IMAGE, 999)
        self.close_connection = True

    def answer_large(self, _: str) -> None:
        self.reply(200, {}, b"", 1001)
        self.close_connection = True

    def answer_endless(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"100\r\n" + IMAGE + b"\r\n")
        self.close_connection = True

    def answer_stall(self, _: str) -> None:
        self.reply(200, {}, b"x", 999)
        self.server.let_go.wait(60)
        self.close_connection = True


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.01))
        thread.start()
        yield server
        server.let_go.set()
        server.shutdown()
        thread.join()


def read(
    url: str,
    refused: Callable[[str], str | None] = anything,
    limits: FetchLimits = OPEN,
    **known: Any,
) -> Fetched:
    return asyncio.run(read_http_once(Known(url, **known), limits, refused))


def code_of(url: str, refused: Callable[[str], str | None] = anything, **known: Any) -> ErrorCode:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (classify says which one it is)
        read(url, refused, **known)
    error = classify(caught.value)
    assert "\n" not in error.message
    return error.code


def test_bytes_and_what_is_known(site: Site) -> None:
    known = Known(f"{site.url}/image", "abc", 256, datetime(2026, 11, 24, 18, tzinfo=UTC))
    assert read(known.uri) == Fetched(known, IMAGE)
    assert read(f"{site.url}/weak") == Fetched(Known(f"{site.url}/weak", None, 256), IMAGE)


def test_a_request_tells_who_asks_and_nothing_else(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    target = f"http://me:hunter2@127.0.0.1:{site.server_port}/image"
    assert read(f"{site.url}/to/{target}").data == IMAGE
    assert [path for path, _ in site.asked] == [f"/to/{target}", "/image"]
    for _, headers in site.asked:
        assert headers.pop("User-Agent") == f"ufd-ray/{__version__}"
        assert set(headers) == {"Host", "Accept", "Accept-Encoding"}
        assert headers["Host"] == f"127.0.0.1:{site.server_port}"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "forbidden"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "forbidden"),
        (408, "timeout"),
        (410, "not_found"),
        (412, "changed"),
        (429, "throttled"),
        (451, "forbidden"),
        (500, "network"),
        (502, "network"),
        (503, "throttled"),
        (204, "network"),
    ],
)
def test_every_status_has_its_word(site: Site, status: int, code: str) -> None:
    assert code_of(f"{site.url}/status/{status}") == code


def test_five_redirects_are_followed(site: Site) -> None:
    assert read(f"{site.url}/count/4").data == IMAGE
    assert code_of(f"{site.url}/count/5") == ErrorCode.FORBIDDEN
    assert len(site.asked) == 6 + 6


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "s3://b/k"]
)
def test_no_redirect_leaves_the_web(site: Site, target: str) -> None:
    assert code_of(f"{site.url}/to/{target}") == ErrorCode.FORBIDDEN


def test_sizes_are_bounded(site: Site) -> None:
    assert code_of(f"{site.url}/large") == ErrorCode.TOO_MANY_BYTES
    assert code_of(f"{site.url}/endless") == ErrorCode.TOO_MANY_BYTES
    assert read(f"{site.url}/image", limits=FetchLimits(allow_http=True, max_bytes=256)).data


def test_a_body_that_breaks_off_is_not_the_image(site: Site) -> None:
    assert code_of(f"{site.url}/short") == ErrorCode.NETWORK


def test_changed(site: Site) -> None:
    assert code_of(f"{site.url}/image", etag="other") == ErrorCode.CHANGED
    assert code_of(f"{site.url}/weak", size_bytes=255) == ErrorCode.CHANGED


def test_nobody_there(site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert code_of(f"http://127.0.0.1:{unused.getsockname()[1]}/") == ErrorCode.NETWORK


@pytest.mark.parametrize("url", ["http://", "http:///a.jpg", "http://h:99999/", "http://[::1/"])
def test_a_url_that_is_none(url: str) -> None:
    assert code_of(url) in {ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN}


SPELLINGS = ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0x7f000001", "[::1]"]
SPELLINGS += ["[::ffff:127.0.0.1]", "localhost", "LOCALHOST", "0", "[::]", "127.0.0.1."]


@pytest.mark.parametrize("host", SPELLINGS)
def test_this_machine_is_refused_however_it_is_spelt(site: Site, host: str) -> None:
    url = f"http://{host}:{site.server_port}/image"
    (result,) = fetch([Known(url)], StorageOptions(), OPEN)
    assert result.error is not None
    # `127.0.0.1.` is no name that a resolver knows.
    expected = {ErrorCode.FORBIDDEN} | ({ErrorCode.NOT_FOUND} if host.endswith(".") else set())
    assert result.error.code in expected
    assert site.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[fd00:ec2::254]", "100.64.0.1"])
def test_inner_networks_are_refused_without_a_connection(host: str) -> None:
    (result,) = fetch([Known(f"http://{host}/latest/meta-data/")], StorageOptions(), OPEN)
    assert result.error is not None
    assert result.error.code == ErrorCode.FORBIDDEN


def test_every_hop_is_checked(site: Site) -> None:
    def only_by_number(address: str) -> str | None:
        return None if address == "127.0.0.1" else "loopback"

    assert read(f"{site.url}/to/{site.url}/image", only_by_number).data == IMAGE
    for host in ("127.0.0.2", "2130706434", "[::1]"):
        inner = f"http://{host}:{site.server_port}/image"
        assert code_of(f"{site.url}/to/{inner}", only_by_number) == ErrorCode.FORBIDDEN
    assert [path for path, _ in site.asked if path == "/image"] == ["/image"]


def answers(*lists: list[str]) -> Callable[..., list[Any]]:
    """A name server that gives another answer each time it is asked."""
    left = list(lists)

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        if host != "images.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in left.pop(0)]

    return resolve


def test_the_address_that_was_checked_is_the_one_that_is_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def refused(address: str) -> str | None:
        checked.append(address)
        return None if address == "127.0.0.1" else "private"

    monkeypatch.setattr(socket, "getaddrinfo", answers(["127.0.0.1"], ["10.0.0.1"]))
    url = f"http://images.example:{site.server_port}/image"
    assert read(url, refused).data == IMAGE
    assert site.asked[0][1]["Host"] == f"images.example:{site.server_port}"
    assert checked == ["127.0.0.1"]
    assert code_of(url, refused) == ErrorCode.FORBIDDEN
    assert len(site.asked) == 1


def test_one_bad_answer_among_good_ones_refuses_the_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answers(["127.0.0.1", "10.0.0.1"]))
    url = f"http://images.example:{site.server_port}/image"
    with pytest.raises(FetchError, match=r"images\.example has an address that is private"):
        read(url, lambda address: "private" if address.startswith("10.") else None)
    assert site.asked == []


def test_the_next_address_is_asked_where_one_does_not_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answers(["127.0.0.2", "127.0.0.1"]))
    assert read(f"http://images.example:{site.server_port}/image").data == IMAGE


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert code_of("http://nobody.example/") == ErrorCode.NOT_FOUND


def self_signed(folder: Path, host: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem")
    return context


def test_a_certificate_that_nobody_vouches_for_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked_for: list[str | None] = []
    context = self_signed(tmp_path, "images.example")
    context.sni_callback = lambda _, name, __: asked_for.append(name)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    monkeypatch.setattr(socket, "getaddrinfo", answers(["127.0.0.1"]))
    url = f"https://images.example:{site.server_port}/image"
    assert code_of(url) == ErrorCode.FORBIDDEN
    assert asked_for == ["images.example"]
    assert site.asked == []


def test_the_answer_of_a_server_is_not_quoted(site: Site) -> None:
    with pytest.raises(FetchError) as caught:
        read(f"{site.url}/status/403?w=hunter2")
    assert caught.value.message == f"{site.url}/status/403?… answered 403"


def test_a_body_that_stalls_ends_with_the_try(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ufd_ray.storage.fetching.http_reads.read_http_once",
        partial(read_http_once, refused=anything),
    )
    options = StorageOptions(fetch_timeout_s=3.0)
    limits = FetchLimits(allow_http=True, num_attempts=2, first_wait_s=0)
    known = [Known(f"{site.url}/{name}") for name in ("stall", "image", "status/404", "short")]
    codes = [r.error and r.error.code.value for r in fetch(known, options, limits)]
    assert codes == ["timeout", None, "not_found", "network"]
    asked = sorted(path for path, _ in site.asked)
    assert asked == ["/image", "/short", "/short", "/stall", "/stall", "/status/404"]
