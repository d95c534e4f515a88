"""A hostile server repeats our signed requests in its errors; nothing of them is passed on."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pyarrow as pa
import pytest

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.pipeline.reading import fetch_images
from ufd_ray.storage import FetchLimits, StorageOptions, check_writable, object_exists
from ufd_ray.storage.listing.prefixes import list_prefix
from ufd_ray.storage.objects import read_object, write_object

KEY, SECRET, TOKEN = "AKIAHUNTER2HUNTER2AA", "hunter2/secret/of/forty/characters/xxxxx", "t0" * 60


class Parrot(ThreadingHTTPServer):
    """Refuses every request, quoting it whole."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.kind = status, kind
        self.signatures: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Parrot

    def do_GET(self) -> None:
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        self.server.signatures |= set(re.findall(r"Signature=(\w+)", headers))
        quoted = f"{self.command} {self.path}\n{headers}"
        if self.server.kind == "xml":
            quoted = (
                f"<Error><Code>Refused</Code><Message>{quoted}</Message>"
                f"<AWSAccessKeyId>{KEY}</AWSAccessKeyId><StringToSign>{quoted}</StringToSign></Error>"
            )
        body = b"" if self.command == "HEAD" else quoted.encode()
        self.send_response(self.server.status, f"Refused {KEY}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_HEAD = do_DELETE = do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


ANSWERS = [(400, "text"), (403, "xml"), (404, "text"), (500, "xml")]


@pytest.fixture(params=ANSWERS, ids=str)
def parrot(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parrot]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with Parrot(*request.param) as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def assert_nothing_secret(parrot: Parrot, text: str) -> None:
    assert parrot.signatures
    for secret in (KEY, SECRET, TOKEN, *parrot.signatures):
        assert secret not in text
        assert secret[:16] not in text


def test_rows_and_messages_hold_no_secret(parrot: Parrot) -> None:
    options = StorageOptions(s3_endpoint=f"http://127.0.0.1:{parrot.server_port}", timeout_s=0.5)
    rows = pa.table({"uri": ["s3://bucket/a.jpg", "s3://bucket/a//odd.jpg"]})
    for name, kind in (
        ("etag", pa.string()),
        ("size_bytes", pa.int64()),
        ("last_modified", pa.timestamp("us", tz="UTC")),
    ):
        rows = rows.append_column(name, pa.nulls(len(rows), kind))
    limits = FetchLimits(num_attempts=2, first_wait_s=0)
    table = fetch_images(rows, storage=options, limits=limits)
    assert None not in table["error_code"].to_pylist()
    assert_nothing_secret(parrot, str(table.to_pylist()))
    for action in (
        lambda: read_object("s3://bucket/a", options),
        lambda: write_object("s3://bucket/a", b"1", options),
        lambda: list(list_prefix("s3://bucket/a", options)),
        lambda: object_exists("s3://bucket/a", options),
        lambda: check_writable("s3://bucket/a", options),
    ):
        try:
            action()
        except (StorageError, SettingsError, FileNotFoundError) as error:
            assert_nothing_secret(parrot, str(error))
