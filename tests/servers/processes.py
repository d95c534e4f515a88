"""Child processes: free ports, starting, waiting until one answers, ending exactly that one."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """A loopback port that nobody listens on now. Bind it at once: others look for ports too."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    process: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float = 60
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
