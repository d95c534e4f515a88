"""Several sources read at once, by threads; what they yield comes in the order of the sources."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

_END = object()
_LOOK_UP_S = 0.1


def in_order(
    sources: Iterable[Callable[[], Iterator[T]]], *, num_threads: int, num_ahead: int = 2
) -> Iterator[T]:
    """Chain what the sources yield, as if one were read after the other.

    Memory is bounded by `num_threads × num_ahead` items, however many sources there are and however
    slowly the items are taken.

    Args:
        sources: each makes its iterator, in its own thread. They are asked for as they are needed.
        num_threads: sources that are read at once.
        num_ahead: items of one source that may wait to be taken.

    Raises:
        Exception: what a source raised, at its place in the order.
    """
    stop = threading.Event()
    waiting = iter(sources)
    under_way: deque[queue.Queue[Any]] = deque()

    def begin(source: Callable[[], Iterator[T]]) -> None:
        items: queue.Queue[Any] = queue.Queue(num_ahead)
        threading.Thread(target=_read, args=(source, items, stop), daemon=True).start()
        under_way.append(items)

    try:
        for source in islice(waiting, num_threads):
            begin(source)
        while under_way:
            first = under_way[0]
            while (item := first.get()) is not _END:
                if isinstance(item, _Failure):
                    raise item.error
                yield item
            under_way.popleft()
            for source in islice(waiting, 1):
                begin(source)
    finally:
        stop.set()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _read(
    source: Callable[[], Iterator[Any]], items: queue.Queue[Any], stop: threading.Event
) -> None:
    try:
        for item in source():
            if not _put(items, item, stop):
                return
        last: Any = _END
    except BaseException as error:  # noqa: BLE001 (raised again by whoever takes the items)
        last = _Failure(error)
    _put(items, last, stop)


def _put(items: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            items.put(item, timeout=_LOOK_UP_S)
        except queue.Full:
            continue
        return True
    return False
