"""Child processes: free ports, starting, waiting until one answers, ending exactly that one."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_NOT_EPHEMERAL = (20_000, 32_000)
"""Under the ports that Linux (from 32,768 on) and others give to those who ask for any."""


def free_port() -> int:
    """A loopback port that nobody listens on now, of those that the system gives to nobody.

    By the time that a server binds it, whoever asks for any port (each of Ray's processes does)
    could have been given one of the system's own choice.
    """
    while True:
        port = random.SystemRandom().randrange(*_NOT_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # somebody has it
            return port


def processes_with(words: str) -> list[int]:
    """The processes whose command line has these words in it: let them be words of yours alone."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue  # has ended meanwhile
            if words.encode() in line:
                found.append(int(entry.name))
    return found


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the foreground of its own session for as long as the block lasts.

    Its own session, because Ctrl-C in the terminal must reach the tests first: their teardown
    still needs the server.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(
    process: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float = 600
) -> None:
    """Return once `process` listens on `port`; raise with the end of its log where it does not."""
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    state = "still runs" if process.returncode is None else f"ended with {process.returncode}"
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"nothing listens on port {port}; {process.args!r} {state}:\n{tail}")
