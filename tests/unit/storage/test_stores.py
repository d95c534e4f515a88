"""Which options reach the stores, and where a bucket's region comes from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from ufd_ray.settings import BuildBankSettings, CurrentSettings, JobSettings
from ufd_ray.storage import StorageOptions
from ufd_ray.storage.stores import open_store, s3_client

S3 = {"s3_endpoint": "http://s3", "s3_requester_pays": True, "s3_kms_key": "alias/scores"}


@pytest.mark.parametrize(
    ("job", "further"),
    [
        (CurrentSettings, {}),
        (BuildBankSettings, {"input": ["/photos"], "fetch_timeout_s": 7.0}),
    ],
)
def test_options_are_those_of_the_settings(job: type[JobSettings], further: dict[str, Any]) -> None:
    options = StorageOptions.of(job.model_validate({"output": "/out", **S3, **further}))
    fetching = {k: v for k, v in further.items() if k == "fetch_timeout_s"}
    assert options == StorageOptions(**S3, **fetching)  # type: ignore[arg-type]


class Amazon(BaseHTTPRequestHandler):
    """S3 as a proxy on its way shows it: the bucket lies elsewhere, and may not be looked at."""

    region: str | None = "eu-north-1"

    def do_HEAD(self) -> None:
        self.send_response(403)
        if self.region is not None:
            self.send_header("x-amz-bucket-region", self.region)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageOptions]:
    """Options that lead to it."""
    for name, value in {
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "b",
        "DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Amazon) as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.01))
        thread.start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
        yield StorageOptions(s3_endpoint="http://s3.us-east-1.amazonaws.com")
        server.shutdown()
        thread.join()
    for cached in (open_store, s3_client):
        cached.cache_clear()


def test_a_refusal_tells_the_buckets_region(amazon: StorageOptions) -> None:
    assert open_store("s3", "elsewhere", amazon).config["region"] == "eu-north-1"


def test_without_a_region_it_is_the_environments(
    amazon: StorageOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Amazon, "region", None)
    assert open_store("s3", "elsewhere", amazon).config["region"] == "us-east-1"
