"""Memory that a process which encodes on a CPU holds on to.

The GNU C library gives the numbers of each layer back to the system and takes memory for the next
anew, page by page: of an encoder's time on a CPU that was up to a third. Other C libraries pass
over what is said here.
"""

from __future__ import annotations

import ctypes

KEEPING_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    # Of threads but the first an arena of their own would be cut off again all the same.
    "MALLOC_ARENA_MAX": "1",
}
"""For the environment of a process that is to be started."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX, _LARGEST = -1, -3, -8, 2**31 - 1


def keep_memory() -> None:
    """The same for this process: its first thread, and those that begin afterwards."""
    options = getattr(ctypes.CDLL(None), "mallopt", None)
    if options is not None:
        options(_MMAP_THRESHOLD, _LARGEST)
        options(_TRIM_THRESHOLD, _LARGEST)
        options(_ARENA_MAX, 1)
