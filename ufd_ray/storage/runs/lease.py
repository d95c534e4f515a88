"""Who works on a folder: a series of numbered objects, each put only if it is absent.

`lease/00000001.json`, `…2.json`, …: the newest one is in force. Renewing, taking over and giving
back each create the next number, which storage grants to one of any number of rivals. Nothing is
overwritten (a conditional overwrite works neither on local files nor on every S3 server), none is
deleted while somebody works, and no two clocks are compared: a holder is dead when a rival has
watched for `lease_s` by its own clock and no number was added. When all is done the numbers go; a
holder that slept through that finds its next one free, and `done` beside it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from ufd_ray.errors import LeaseError, StorageError
from ufd_ray.storage.folders import delete_folder, drop_if_empty, list_folder
from ufd_ray.storage.objects import delete_object, object_exists, read_object, write_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

_RENEWALS_A_LEASE = 4
_LOOKS_A_LEASE = 20


class Lease:
    """The right to work on a folder, renewed by a thread while the block runs.

    Storage that does not answer costs no lease: nobody else can take it over meanwhile, and the
    next number that is granted proves that nobody did.

    Args:
        folder: URI of the folder; the objects lie in `lease/` below it.
        options: how storage is reached.
        lease_s: seconds after which a holder that adds no number counts as dead.
        done: name of the object in the folder after which there is nothing left to do.
        lost: called once, from another thread, when another has taken over.

    Raises:
        LeaseError: on entering: another one is at work, watched for twice `lease_s`.
        StorageError: on entering: the folder cannot be listed or written.
    """

    def __init__(
        self,
        folder: str,
        options: StorageOptions,
        lease_s: float,
        done: str = "_SUCCESS",
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._of = folder
        self._folder = join_uri(folder, "lease")
        self._options = replace(options, timeout_s=min(options.timeout_s, max(lease_s, 1.0)))
        self._lease_s = lease_s
        self._done = join_uri(folder, done)
        self._lost = lost
        self._me = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._number, self._held = 0, False
        self._taking = threading.Lock()
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        self._acquire()
        self._renewing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ended.is_set():
            return
        self.end()
        try:
            # Whoever comes next need not wait. If this fails they wait: nothing else is wrong.
            self._take_next(released=True)
        except (StorageError, LeaseError):
            return

    def check(self) -> None:
        """Prove, by a renewal, that the lease is held: before a step that others will see.

        Raises:
            LeaseError: another has taken over.
            StorageError: storage does not say.
        """
        self._go_on()

    def end(self) -> None:
        """Renew no more: before a last step, as which `done` is written, that anybody may repeat.

        A renewal that finds `done` would take it for a rival's.
        """
        self._ended.set()
        self._renewing.join()

    def delete(self) -> None:
        """Leave without a trace: the work is done, or was never begun.

        Raises:
            StorageError: something cannot be deleted.
        """
        self.end()
        delete_folder(self._folder, self._options)
        drop_if_empty(self._of)

    def _acquire(self) -> None:
        begun = time.monotonic()
        seen, since, lives, told = -1, begun, False, False
        while True:
            newest = self._newest()
            if newest != seen:
                # The first look may have taken any time: it says nothing of who is alive.
                seen, since, lives = newest, time.monotonic(), seen >= 0
            holder = self._read(newest) if newest else {"released": True}
            lease_s = max(self._lease_s, _seconds(holder))  # the holder renews by its own
            if holder.get("released") or time.monotonic() - since >= lease_s:
                self._number = newest
                try:
                    return self._take_next()
                except LeaseError:
                    continue  # another was quicker, or it lives after all
            if lives and time.monotonic() - begun >= 2 * lease_s:
                raise LeaseError(
                    f"{holder.get('holder')} is at work on {self._of}: watched for"
                    f" {2 * lease_s:g} s, twice a lease"
                    " (--lease-s, where the job has it)"
                )
            if not told:
                told = True
                print(
                    f"waiting, {2 * lease_s:g} s at most: {holder.get('holder')} may still be at"
                    f" work on {self._of}"
                )
            time.sleep(self._lease_s / _LOOKS_A_LEASE)

    def _renew(self) -> None:
        while not self._ended.wait(self._lease_s / _RENEWALS_A_LEASE):
            try:
                self._go_on()
            except LeaseError:
                return self._lost()
            except StorageError:
                continue

    def _go_on(self) -> None:
        self._take_next()
        # Behind that object a rival deletes all numbers, perhaps its own before ours.
        if object_exists(self._done, self._options):
            delete_folder(self._folder, self._options)
            raise LeaseError(f"another process has taken over, and is done ({self._done})")

    def _take_next(self, *, released: bool = False) -> None:
        facts = {"holder": self._me, "lease_s": self._lease_s, "released": released}
        content = json.dumps(facts).encode()
        with self._taking:
            number = self._number + 1
            uri = self._uri(number)
            try:
                write_object(uri, content, self._options, if_absent=True)
            except FileExistsError as error:
                # Ours, where the answer to the first of several tries got lost.
                if self._read(number).get("holder") != self._me:
                    raise LeaseError(f"another process has taken over ({uri})") from error
            # Numbers go when the work is done, or with the whole folder: whoever slept through that
            # finds the next one free.
            if self._held and self._read(self._number).get("holder") != self._me:
                delete_object(uri, self._options)
                raise LeaseError(
                    f"another process has taken over and ended, or deleted, {self._of}"
                )
            self._number, self._held = number, True

    def _newest(self) -> int:
        names = [uri.rpartition("/")[2] for uri in list_folder(self._folder, self._options)]
        stems = [name.removesuffix(".json") for name in names if name.endswith(".json")]
        return max((int(stem) for stem in stems if stem.isdecimal()), default=0)

    def _read(self, number: int) -> dict[str, Any]:
        try:
            content = json.loads(read_object(self._uri(number), self._options))
        except (FileNotFoundError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _uri(self, number: int) -> str:
        return join_uri(self._folder, f"{number:08d}.json")


def _seconds(holder: dict[str, Any]) -> float:
    try:
        return float(holder.get("lease_s", 0))
    except (TypeError, ValueError):
        return 0.0
