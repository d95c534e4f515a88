"""A standing Ray head with its job server, as `ray start --head` makes one."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.processes import free_port, running, wait_for_port


@dataclass(frozen=True)
class RayHead:
    """A running head.

    Attributes:
        address: URL of its job server.
        environment: variables of whoever talks to it; address and token are in them.
    """

    address: str
    environment: dict[str, str] = field(repr=False)


@contextmanager
def start_ray_head(further: Mapping[str, str], programs: Path | None = None) -> Iterator[RayHead]:
    """Run a head of two CPUs for as long as the block lasts.

    Args:
        further: variables of the head and so of all its workers.
        programs: folder of the `python` and `ray` that it runs; without it, those of the tests.
    """
    programs = programs or Path(sys.executable).parent
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "AWS_"))}
    # Jobs run the `python` of the head's PATH.
    path = f"{programs}:{inherited['PATH']}"
    environment = inherited | {
        "PATH": path,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_register_timeout_seconds": "600",
    }
    # Short, since Ray's sockets lie in it and their names may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        port, log = free_port(), Path(folder, "head.log")
        command = [
            f"{programs}/ray", "start", "--head", "--block",
            "--node-ip-address=127.0.0.1", f"--port={free_port()}", f"--temp-dir={folder}",
            "--num-cpus=2", f"--object-store-memory={100 * 1024**2}",
            "--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}",
            f"--dashboard-agent-listen-port={free_port()}", f"--metrics-export-port={free_port()}",
            # Any free port, not those of the fixed range in which another Ray may be.
            "--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats",
        ]  # fmt: skip
        with running(command, log, environment | dict(further)) as head:
            try:
                wait_for_port(head, port, log)
                address = f"http://127.0.0.1:{port}"
                theirs = environment | {"RAY_API_SERVER_ADDRESS": address}
                yield RayHead(address, theirs)
            finally:
                end_session(head.pid)


def make_thin_environment(folder: Path) -> Path:
    """An environment that finds the packages of the tests' own where they lie; its programs.

    For a `pip` list Ray copies the environment that the head runs in. This one weighs nothing, and
    has all the same packages, but for the project: only the working directory of a job brings it.
    """
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    packages = sysconfig.get_path("purelib")
    (found,) = folder.glob("lib/python*/site-packages")
    (found / "packages.pth").write_text(f"{packages}\n")
    script = programs / "ray"
    script.write_text(f"#!{programs}/python\nfrom ray.scripts.scripts import main\n\nmain()\n")
    script.chmod(0o755)
    return programs


def end_session(leader: int) -> None:
    """End what `leader` and its children started: some of it would outlive it by a while."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for pid in _session(leader):
            with suppress(ProcessLookupError):  # has ended meanwhile
                os.kill(pid, kind)
        deadline = time.monotonic() + 5
        while _session(leader) and time.monotonic() < deadline:
            time.sleep(0.05)


def _session(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # has ended meanwhile
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(entry.name))
    return found
