from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ufd_ray.storage.listing.ahead import in_order


@given(
    sources=st.lists(st.lists(st.integers(), max_size=6), max_size=12),
    num_threads=st.integers(1, 5),
    num_ahead=st.integers(1, 3),
)
@settings(max_examples=50)
def test_it_is_as_if_they_were_chained(
    sources: list[list[int]], num_threads: int, num_ahead: int
) -> None:
    makers = [partial(iter, source) for source in sources]
    read = in_order(makers, num_threads=num_threads, num_ahead=num_ahead)
    assert list(read) == [item for source in sources for item in source]


def test_a_slow_first_source_still_comes_first() -> None:
    second_is_done = threading.Event()

    def slow() -> Iterator[str]:
        assert second_is_done.wait(30)
        yield "first"

    def fast() -> Iterator[str]:
        yield "second"
        second_is_done.set()

    assert list(in_order([slow, fast], num_threads=2)) == ["first", "second"]


def test_an_error_comes_at_its_place() -> None:
    def failing() -> Iterator[int]:
        yield 2
        raise ValueError("ill")

    read = in_order([partial(iter, [1]), failing, partial(iter, [3])], num_threads=3)
    assert [next(read), next(read)] == [1, 2]
    with pytest.raises(ValueError, match="ill"):
        next(read)


def test_what_is_not_taken_is_not_read() -> None:
    read: list[int] = []

    def endless(name: int) -> Iterator[int]:
        while True:
            read.append(name)
            yield name

    def sources() -> Iterator[Callable[[], Iterator[int]]]:
        for name in range(1_000_000):
            yield partial(endless, name)

    items = in_order(sources(), num_threads=3, num_ahead=2)
    assert [next(items) for _ in range(10)] == [0] * 10
    items.close()  # type: ignore[attr-defined]
    # Each thread holds one item more than the two that wait, the first has given ten away.
    assert set(read) <= {0, 1, 2}
    assert len(read) <= 10 + 3 * 3


def test_threads_end_when_the_reader_leaves() -> None:
    ended = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    items = in_order([endless], num_threads=1)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert ended.wait(30)
