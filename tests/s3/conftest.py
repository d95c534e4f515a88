"""Clients are kept once a process: a test that changes the environment must not meet old ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import boto3
import pytest

from ufd_ray.storage.stores import open_store, s3_client


@pytest.fixture(autouse=True)
def fresh_clients() -> Iterator[None]:
    """Forget the clients of earlier tests, and let none of this one's live on."""
    for cached in (open_store, s3_client):
        cached.cache_clear()
    yield
    for cached in (open_store, s3_client):
        cached.cache_clear()


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """Give this process the variables of an environment, as if it had been started with them."""

    def take(environment: Mapping[str, str]) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        # boto3's own session has read the files that were named when it was made.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    return take
