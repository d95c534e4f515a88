"""One command as a whole: how long it took, and what memory all of its processes had at most."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 0.5
"""Between two looks at RSS, which the system keeps count of."""
REST = 100
"""Times as long as a look at PSS took, none is taken: it walks all pages, and holds up whoever asks
for memory meanwhile. Twice a second it cost a tree of 18 processes a tenth of two cores."""
ENDING_S = 30.0


@dataclass(frozen=True)
class Watched:
    """What was seen of a command.

    Attributes:
        seconds: from its start to its end, by the clock.
        peak_bytes: most memory of its whole tree of processes, each shared page divided among those
            that share it (PSS); looked at seldom (`REST`), so that a short peak may be missed.
        peak_rss_bytes: the same with shared pages counted in every process (RSS).
        num_processes: most of them at a time.
    """

    seconds: float
    peak_bytes: int
    peak_rss_bytes: int
    num_processes: int


class CommandError(Exception):
    """A command failed; the message has the end of what it said."""


def watch(command: Sequence[str | Path], log: Path, env: Mapping[str, str], cwd: Path) -> Watched:
    """Run a command to its end, and wait until nothing of it is left.

    Raises:
        CommandError: its exit status is not 0.
    """
    begun = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, cwd=cwd
        )
        watcher = _Watcher(process.pid)
        watcher.start()
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                _end(process)
            seconds = time.perf_counter() - begun
            watcher.end()
    _wait_for(watcher.seen)
    if status:
        end = log.read_text(errors="replace")[-3000:]
        raise CommandError(f"{' '.join(map(str, command))} ended with {status}:\n{end}")
    return Watched(seconds, watcher.peak_bytes, watcher.peak_rss_bytes, watcher.num_processes)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()  # a driver of Ray then ends what it started
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()


class _Watcher(threading.Thread):
    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._ended = threading.Event()
        self.seen: dict[int, str] = {}
        self.peak_bytes = self.peak_rss_bytes = self.num_processes = 0

    def run(self) -> None:
        next_look = time.monotonic()
        while not self._ended.wait(EVERY_S):
            tree = descendants(self._root)
            self.seen |= {
                process: _started(process) for process in tree if process not in self.seen
            }
            self.num_processes = max(self.num_processes, len(tree))
            self.peak_rss_bytes = max(self.peak_rss_bytes, sum(map(rss, tree)))
            if (begun := time.monotonic()) >= next_look:
                self.peak_bytes = max(self.peak_bytes, sum(map(pss, tree)))
                ended = time.monotonic()
                next_look = ended + REST * (ended - begun)

    def end(self) -> None:
        self._ended.set()
        self.join()


def descendants(root: int) -> list[int]:
    """A process, its children, theirs, and so on."""
    children = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            children[int(fields[1])].append(int(name))
    found = [root]
    for process in found:  # grows meanwhile
        found += children[process]
    return found


def rss(process: int) -> int:
    """Bytes in memory, shared ones too; 0 where it has ended."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def pss(process: int) -> int:
    """The same, each shared page divided among those that share it."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def _wait_for(seen: Mapping[int, str]) -> None:
    """What was left behind, as Ray's own processes are for a moment, would slow the next one."""
    deadline = time.monotonic() + ENDING_S
    while left := [process for process, start in seen.items() if _started(process) == start]:
        if time.monotonic() > deadline:
            print(f"processes still there after {ENDING_S:g} s: {left}", flush=True)
            return
        time.sleep(0.2)


def _started(process: int) -> str:
    """When it was, in the system's ticks; empty where it has ended, or is only waited for."""
    fields = _stat(process)
    return fields[19] if fields and fields[0] != "Z" else ""


def _stat(process: int) -> list[str]:
    """From its state onwards."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
