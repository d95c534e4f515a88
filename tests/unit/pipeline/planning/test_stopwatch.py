"""What is timed, and how often."""

from __future__ import annotations

import time

import pytest

from ufd_ray.pipeline.planning import stopwatch
from ufd_ray.pipeline.planning.stopwatch import Stopwatch


def test_short_batches_are_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    watch = Stopwatch()
    assert watch.time(lambda batch: done.append(batch) or len(done), 7) == 3
    assert done == [7, 7, 7]
    monkeypatch.setattr(stopwatch, "_LONG_S", 0.0)
    watch.time(done.append, 8)
    assert done == [7, 7, 7, 8]


def test_the_median_counts_once_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    # Start and end of three goes by the clock: 1, 5 and 2 seconds; of work: 1, 4 and 3.
    clock = iter([0.0, 1.0, 10.0, 15.0, 20.0, 22.0])
    work = iter([0.0, 1.0, 10.0, 14.0, 20.0, 23.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(time, "process_time", lambda: next(work))
    watch = Stopwatch()
    watch.time(len, "")
    assert (watch.core_s, watch.wall_s) == (3.0, 2.0)
    cost = watch.cost(4)
    assert (cost.core_s, cost.wall_s) == (0.75, 0.5)


def test_waiting_is_work_only_where_another_process_works() -> None:
    waiting, working = Stopwatch(), Stopwatch(own_work=False)
    for watch in (waiting, working):
        watch.time(time.sleep, 0.02)
    assert working.core_s == working.wall_s >= 0.02
    assert waiting.core_s < waiting.wall_s
