from __future__ import annotations

import threading

import pytest
import torch

from ufd_ray.detectors.search import side_by_side, threads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torch had four cores here."""
    cores = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda num: None)
    monkeypatch.setattr(threads, "_FEWEST", 10)


def parts(num_queries: int, most: int = 1000, device: torch.device = CPU) -> list[tuple[int, int]]:
    return side_by_side(lambda part: (part.start, part.stop), num_queries, most, device)


def test_every_query_is_in_one_part_and_parts_stay_in_order() -> None:
    for num_queries in (0, 1, 9, 25, 41, 1000, 2345):
        numbers = [n for part in parts(num_queries, most=100) for n in range(*part)]
        assert numbers == list(range(num_queries))


@pytest.mark.parametrize(
    ("num_queries", "most", "num_parts"),
    [(9, 1000, 1), (25, 1000, 2), (40, 1000, 4), (400, 1000, 4), (400, 100, 16), (9, 3, 3)],
)
def test_parts_are_no_larger_than_memory_allows_and_no_smaller_than_products_like(
    num_queries: int, most: int, num_parts: int
) -> None:
    assert len(parts(num_queries, most)) == num_parts


def test_a_gpu_has_one_thread() -> None:
    seen = []
    side_by_side(lambda part: seen.append(threading.get_ident()), 400, 100, torch.device("cuda"))
    assert set(seen) == {threading.get_ident()}
    assert len(seen) == 4


def test_threads_run_beside_each_other() -> None:
    meet = threading.Barrier(4, timeout=30)
    assert len(side_by_side(lambda part: meet.wait(), 400, 1000, CPU)) == 4


def test_an_error_in_a_thread_is_the_callers() -> None:
    def fail(part: slice) -> None:
        if part.start:
            raise ValueError(f"row {part.start}")

    with pytest.raises(ValueError, match="row 100"):
        side_by_side(fail, 400, 1000, CPU)
