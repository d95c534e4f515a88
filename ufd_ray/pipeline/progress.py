"""Plain lines while a run goes on, and what each stage took: from the stages' own reports."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
import ray.exceptions

from ufd_ray.report import Pace


@dataclass
class Report:
    """What a worker tells of a batch.

    Attributes:
        stage: which.
        worker: who.
        num_images: in the batch.
        num_errors: of them.
        seconds: that the stage worked on it.
        core_seconds: of those, what it made the processor work elsewhere: in the decoding process.
    """

    stage: str
    worker: str
    num_images: int
    num_errors: int = 0
    seconds: float = 0.0
    core_seconds: float = 0.0


class Tally:
    """Counts what the stages report.

    Reports may be lost or doubled with a killed worker: they are for the eye. The accounts of a
    run are made from its rows.
    """

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}
        self._errors = 0
        self._weights: list[dict[str, Any]] = []
        self._search: Counter[str] = Counter()

    def add(self, report: Report) -> None:
        """Take one batch's report."""
        self._errors += report.num_errors
        pace = self._paces.setdefault(report.stage, Pace())
        pace.add(
            report.worker,
            report.num_images,
            report.seconds,
            report.core_seconds,
            time.monotonic(),  # of this process, whatever the workers' clocks show
        )

    def add_weights(self, file: dict[str, Any]) -> None:
        """Take an encoder's report of the file that it was loaded from."""
        if file not in self._weights:
            self._weights.append(file)

    def add_search(self, counts: dict[str, int]) -> None:
        """Take one batch's report of how its neighbours were found."""
        self._search.update(counts)

    def read(self) -> dict[str, Any]:
        """All counts so far."""
        return {
            "paces": self._paces,
            "errors": self._errors,
            "weights_files": self._weights,
            "search": dict(self._search),
            "at": time.monotonic(),
        }


def start_tally() -> Any:
    """A tally of its own for a run, as an actor that takes no CPU from it."""
    return ray.remote(num_cpus=0, max_restarts=-1)(Tally).remote()


def read_tally(tally: Any, patience_s: float = 10.0) -> dict[str, Any] | None:
    """The counts so far; None while their worker cannot be reached: nothing depends on them.

    Args:
        tally: of `start_tally`.
        patience_s: seconds after which it counts as out of reach.
    """
    try:
        counts: dict[str, Any] = ray.get(tally.read.remote(), timeout=patience_s)
    except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
        return None
    return counts


@contextmanager
def timed(tally: Any, stage: str, num_images: int) -> Iterator[Report]:
    """Report a batch's time to the tally; the block may change what else is reported."""
    report = Report(stage, f"{socket.gethostname()}:{os.getpid()}", num_images)
    begun = time.perf_counter()
    yield report
    if tally is not None:
        report.seconds = time.perf_counter() - begun
        tally.add.remote(report)


@contextmanager
def progress_lines(tally: Any, last_stage: str, num_images: int, every_s: float) -> Iterator[None]:
    """Print how far `last_stage` is, every `every_s` seconds, while the block runs."""
    begun = time.monotonic()

    def look() -> None:
        if counts := read_tally(tally):
            done, encoded = _num_images(counts, last_stage), _num_images(counts, "encode")
            took = time.monotonic() - begun
            print(progress_line(done, num_images, counts["errors"], took, encoded))

    with repeated(look, every_s):
        yield


@contextmanager
def repeated(look: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call `look` every `every_s` seconds, in a thread, while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_s):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def progress_line(done: int, total: int, errors: int, elapsed_s: float, encoded: int = 0) -> str:
    """One line: images done, errors, images/s since the start, time left.

    Before the first block is done, which a large encoder on CPUs takes minutes for, those that are
    `encoded` show that something goes on.
    """
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    begun = f"starting, {encoded:,} encoded" if encoded else "starting"
    left = f"{_duration((total - done) / rate)} left" if rate else begun
    return f"{done:,} of {total:,} images · {errors:,} errors · {rate:.1f} images/s · {left}"


def _num_images(counts: dict[str, Any], stage: str) -> int:
    pace = counts["paces"].get(stage)
    return pace.num_images if pace else 0


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
