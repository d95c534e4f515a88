"""A Ray that does not start, or cannot be joined, ends in a line of ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import pytest
import ray

from ufd_ray.errors import ClusterError
from ufd_ray.pipeline import cluster
from ufd_ray.pipeline.cluster import join_cluster


def refuse(error: Exception) -> Any:
    def init(**_: Any) -> None:
        raise error

    return init


@pytest.fixture(autouse=True)
def not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_one_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ray, "init", refuse(RuntimeError("\nFailed to start GCS.  Last 0 lines:\n"))
    )
    with pytest.raises(ClusterError, match="does not start on this machine: Failed to start") as e:
        join_cluster()
    assert "\n" not in str(e.value)
    assert "/tmp/ray/session_latest/logs" in str(e.value)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("ray client connection timeout"),
        ValueError(""),
        Exception("The current node timed out during startup"),
        ray.exceptions.AuthenticationError("Authentication token is missing\nand more"),
    ],
)
def test_one_that_cannot_be_joined(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", refuse(error))
    monkeypatch.setenv("RAY_ADDRESS", "ray://someone:password@head:10001")
    with pytest.raises(ClusterError, match=r"RAY_ADDRESS=ray://.*head:10001 cannot be") as e:
        join_cluster()
    assert "\n" not in str(e.value)
    assert "password" not in str(e.value)
    assert ray.__version__ in str(e.value)
    assert " ".join(str(error).split() or ["ValueError"])[:100] in str(e.value)


def test_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray would look for it for ever"))
    monkeypatch.setattr(cluster, "_ANSWERS_WITHIN_S", 0.1)
    with socket.socket() as taken:  # and not listened at: who comes is refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ClusterError, match=r"cannot be joined: .*; expected Ray"):
            join_cluster()


def test_one_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", refuse(RuntimeError("Ray was asked")))
    with socket.socket() as head:
        head.bind(("127.0.0.1", 0))
        monkeypatch.setattr(cluster.time, "sleep", lambda _: head.listen())
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{head.getsockname()[1]}")
        with pytest.raises(ClusterError, match="Ray was asked"):
            join_cluster()


@pytest.mark.parametrize("address", ["auto", "local", "ray://127.0.0.1:1", "head", "::1", ""])
def test_what_is_no_host_and_port_is_left_to_ray(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "init", refuse(RuntimeError("Ray was asked")))
    monkeypatch.setattr(cluster.socket, "create_connection", lambda *_: pytest.fail("not asked"))
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ClusterError, match="Ray was asked") as e:
        join_cluster()
    assert ("does not start on this machine" in str(e.value)) == (address in ("", "local"))


def test_no_secret_is_told_however_long_ray_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    told = f"{'x' * 285} ray://someone:password@head:10001 is not there"
    monkeypatch.setattr(ray, "init", refuse(RuntimeError(told)))
    with pytest.raises(ClusterError) as e:
        join_cluster()
    assert "passw" not in str(e.value)


def test_a_ray_that_was_imported_before_gets_no_token() -> None:
    # It has read its settings, so it would start its servers with one and call them without.
    says = "import os; print(os.environ.get('RAY_AUTH_MODE'))"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_A")}
    found = [
        subprocess.run(
            [sys.executable, "-c", f"{first}; {says}"],
            env=plain,
            check=True,
            text=True,
            capture_output=True,
        ).stdout.strip()
        for first in ("import ufd_ray.pipeline", "import ray, ufd_ray.pipeline")
    ]
    assert found == ["token", "None"]
