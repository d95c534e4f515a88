"""The lines that a long run prints."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ufd_ray.pipeline import progress
from ufd_ray.pipeline.progress import Report, Tally, progress_line, progress_lines


@pytest.mark.parametrize(
    ("done", "total", "errors", "elapsed_s", "line"),
    [
        (0, 1200, 0, 10, "0 of 1,200 images · 0 errors · 0.0 images/s · starting"),
        (0, 1200, 0, 0, "0 of 1,200 images · 0 errors · 0.0 images/s · starting"),
        (500, 1200, 2, 100, "500 of 1,200 images · 2 errors · 5.0 images/s · 2 min 20 s left"),
        (1200, 1200, 2, 100, "1,200 of 1,200 images · 2 errors · 12.0 images/s · 0 min 00 s left"),
        (
            1_000,
            1_000_000,
            0,
            100,
            "1,000 of 1,000,000 images · 0 errors · 10.0 images/s · 27 h 45 min left",
        ),
    ],
)
def test_one_line(done: int, total: int, errors: int, elapsed_s: float, line: str) -> None:
    assert progress_line(done, total, errors, elapsed_s) == line


def test_a_batch_that_was_done_twice_gives_no_negative_time() -> None:
    assert progress_line(1201, 1200, 0, 100).endswith(" · 0 min 00 s left")


def test_before_the_first_block_is_through_the_line_says_what_was_encoded() -> None:
    assert progress_line(0, 1200, 0, 100, 64).endswith(" · 0.0 images/s · starting, 64 encoded")
    assert progress_line(256, 1200, 0, 100, 320).endswith("s left")


def test_a_line_has_what_was_encoded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tally, told = Tally(), threading.Event()
    tally.add(Report("encode", "c", 64, seconds=2.0))

    def read(_: Any) -> Any:
        told.set()
        return tally.read()

    monkeypatch.setattr(progress, "read_tally", read)
    with progress_lines(None, "detect", 1200, 0.01):
        assert told.wait(60)
    assert "0 of 1,200 images · 0 errors · 0.0 images/s · starting, 64 encoded" in (
        capsys.readouterr().out
    )


def test_tally_adds_up_by_stage() -> None:
    tally = Tally()
    tally.add(Report("decode", "a", 3, num_errors=1, seconds=0.5, core_seconds=0.25))
    tally.add(Report("decode", "b", 4, seconds=0.25, core_seconds=0.5))
    tally.add(Report("encode", "c", 4, num_errors=1, seconds=2.0))
    for _ in range(2):  # by two workers
        tally.add_weights({"sha256": "12"})
        tally.add_search({"num_queries": 3, "num_certified": 2})
    said = tally.read()
    paces = said.pop("paces")
    decode, encode = paces["decode"], paces["encode"]
    assert (decode.num_images, decode.seconds, decode.core_seconds) == (7, 0.75, 0.75)
    assert (dict(decode.fastest), decode.first) == ({"a": 6.0, "b": 16.0}, (3, 0.5))
    assert (encode.num_images, encode.seconds) == (4, 2.0)
    assert 0 <= decode.window_s <= said.pop("at") - decode.first_at
    assert said == {
        "errors": 2,
        "weights_files": [{"sha256": "12"}],
        "search": {"num_queries": 6, "num_certified": 4},
    }
