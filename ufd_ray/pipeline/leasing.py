"""The lease of an output: one process at a time writes there, however often a job was submitted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ufd_ray.errors import UfdError
from ufd_ray.storage import Lease, StorageOptions

LEASE_S = 60.0
"""Seconds without a sign of life after which a holder counts as dead."""


@contextmanager
def leased(output: str, done: str, storage: StorageOptions) -> Iterator[Lease]:
    """Have a folder to oneself while the block runs, and leave no trace of that behind.

    Args:
        output: URI of the folder.
        done: name of the object after which there is nothing left to do. Whoever writes it ends the
            lease before.
        storage: how it is reached.

    Raises:
        LeaseError: on entering: another process is at work there, watched for twice `LEASE_S`.
        StorageError: on entering: the folder cannot be listed or written.
    """
    with Lease(output, storage, LEASE_S, done=done, lost=interrupt) as lease:
        try:
            yield lease
        except BaseException:
            with suppress(UfdError):
                lease.check()  # it may be a rival's by now
                lease.delete()
            raise
        lease.delete()


def interrupt() -> None:
    """Interrupt the main thread wherever it waits, as Ctrl-C does: a rival has taken over."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
