from __future__ import annotations

import threading

import pytest
import torch

from ufd_ray.detectors.search import divided, side_by_side, threads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torch had four cores here."""
    cores = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda num: None)
    monkeypatch.setattr(threads, "_FEWEST", 10)


def test_every_query_is_in_one_part_and_parts_stay_in_order() -> None:
    for num_queries in (0, 1, 9, 25, 41, 1000, 2345):
        parts, _, _ = divided(num_queries, 100, CPU)
        numbers = [n for part in parts for n in range(part.start, part.stop)]
        assert numbers == list(range(num_queries))


@pytest.mark.parametrize(
    ("num_queries", "most", "num_parts"),
    [(9, 1000, 1), (40, 1000, 4), (400, 1000, 4), (400, 100, 16), (9, 3, 3)],
)
def test_parts_are_no_larger_than_memory_allows(
    num_queries: int, most: int, num_parts: int
) -> None:
    assert len(divided(num_queries, most, CPU)[0]) == num_parts


def test_threads_have_queries_or_where_these_are_few_rows() -> None:
    assert divided(40, 1000, CPU)[1:] == (4, 1)
    assert divided(39, 1000, CPU)[1:] == (1, 4)


def test_a_gpu_has_one_thread() -> None:
    parts, by_queries, by_rows = divided(400, 100, torch.device("cuda"))
    assert (len(parts), by_queries, by_rows) == (4, 1, 1)
    seen: list[int] = []
    side_by_side(lambda part: seen.append(threading.get_ident()), parts, by_queries)
    assert seen == [threading.get_ident()] * 4


def test_threads_run_beside_each_other() -> None:
    meet = threading.Barrier(4, timeout=600)
    assert len(side_by_side(lambda part: meet.wait(), range(4), 4)) == 4


def test_an_error_in_a_thread_is_the_callers() -> None:
    def fail(part: int) -> None:
        if part:
            raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 1"):
        side_by_side(fail, range(4), 4)


@pytest.mark.parametrize("num", [1, 2])
def test_autocast_is_off_in_every_thread(num: int) -> None:
    with torch.autocast("cpu"):
        seen = side_by_side(lambda part: torch.is_autocast_enabled("cpu"), range(2), num)
        assert torch.is_autocast_enabled("cpu")
    assert seen == [False, False]
