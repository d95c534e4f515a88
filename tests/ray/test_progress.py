"""The lines that a long run prints."""

from __future__ import annotations

import pytest

from ufd_ray.pipeline.progress import Tally, progress_line


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


def test_tally_adds_up_by_stage() -> None:
    tally = Tally()
    tally.add("decode", 3, 0.5, 1)
    tally.add("decode", 4, 0.25)
    tally.add("encode", 4, 2.0, 1)
    for _ in range(2):  # by two workers
        tally.add_weights({"sha256": "12"})
        tally.add_search({"num_queries": 3, "num_certified": 2})
    assert tally.read() == {
        "images": {"decode": 7, "encode": 4},
        "seconds": {"decode": 0.75, "encode": 2.0},
        "errors": 2,
        "weights_files": [{"sha256": "12"}],
        "search": {"num_queries": 6, "num_certified": 4},
    }
