"""Decoding in a process apart: a file that crashes, hangs or gorges a decoder costs one row."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Self

from ufd_ray.images.aligning import Alignment
from ufd_ray.images.forms import Form
from ufd_ray.images.pixel_recipe import ByRecipe
from ufd_ray.images.process import DecodingProcess, LostError
from ufd_ray.images.views import Views
from ufd_ray.images.wire import Decoded, Request

if TYPE_CHECKING:
    from ufd_ray.settings import InputSettings, PreprocessMode

DECODER = (sys.executable, "-P", "-m", "ufd_ray.images.child")
"""The command of the process that decodes. -P: not with whatever lies in the working folder."""


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds of decoding.

    Attributes:
        max_pixels: larger images are not decoded (`too_many_pixels`).
        timeout_s: longest time for one image, seconds (`decode_timeout`).
        memory_mb: address space of the process that decodes, MiB (`crashed`).
    """

    max_pixels: int = 100_000_000
    timeout_s: float = 20.0
    memory_mb: int = 2048

    @classmethod
    def of(cls, settings: InputSettings) -> DecodeLimits:
        """The bounds that a job's settings ask for."""
        return cls(settings.max_pixels, settings.decode_timeout_s, settings.decode_memory_mb)


class Sandbox:
    """Decodes in a child process, which it starts when it is first needed and then keeps.

    An image that ends the child, or makes it miss its time, is tried once more in a fresh one: what
    went wrong there is the image's own fault, not what an earlier one left behind. So an image's
    row never depends on its neighbours.

    Args:
        limits: bounds of decoding.
        command: the program that decodes.
    """

    def __init__(self, limits: DecodeLimits, command: Sequence[str] = DECODER) -> None:
        self._max_pixels = limits.max_pixels
        self._command = (*command, str(limits.memory_mb), str(limits.timeout_s))
        self._timeout_s = limits.timeout_s
        self._child: DecodingProcess | None = None
        self._spent = 0.0
        self._lock = threading.Lock()

    @property
    def core_seconds(self) -> float:
        """What all children have worked so far: seconds of a core."""
        return self._spent + (self._child.core_seconds if self._child else 0.0)

    def decode(
        self,
        batch: Iterable[bytes | None],
        mode: PreprocessMode,
        size: int,
        views: Sequence[Views | None] | None = None,
        *,
        alignment: Alignment | None = None,
        with_traits: bool = False,
        forms: tuple[Form, ...] = (),
    ) -> list[Decoded]:
        """Decode files, cut out what the encoder sees, and make views.

        Args:
            batch: the files' bytes; None where there are none.
            mode: the encoder's preprocessing.
            size: the encoder's input side, pixels.
            views: which augmented views of each file are wanted; None: none of any.
            alignment: what every file is made into first; None: they stay as they are.
            with_traits: what each header says of its file is wanted as well.
            forms: in which every image is wanted as well; there are no views then.

        Returns:
            One result a file, in order; an empty one where there are no bytes.

        Raises:
            UfdError: the decoding process cannot be started.
        """
        wanted_views = repeat(None) if views is None else views
        pairs = zip(batch, wanted_views, strict=views is not None)
        how = (alignment, with_traits, forms)
        with self._lock:
            return [
                Decoded()
                if data is None
                else self._decode_one(Request(data, mode, size, self._max_pixels, wanted, *how))
                for data, wanted in pairs
            ]

    def decode_by_recipe(
        self,
        batch: Iterable[bytes | None],
        wanted: Sequence[ByRecipe | None],
        *,
        alignment: Alignment | None = None,
    ) -> list[Decoded]:
        """Decode files, and make the pixels that their recipes ask for.

        Args:
            batch: the files' bytes; None where there are none.
            wanted: how each is made; None only where there are no bytes.
            alignment: as for `decode`; results and errors as well.
        """
        with self._lock:
            return [
                Decoded()
                if data is None or how is None
                else self._decode_one(
                    Request(
                        data,
                        "crop",
                        how.recipe.size,
                        self._max_pixels,
                        alignment=alignment,
                        by_recipe=how,
                    )
                )
                for data, how in zip(batch, wanted, strict=True)
            ]

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._spent += self._child.core_seconds
            self._child.end()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decode_one(self, request: Request) -> Decoded:
        if self._child is not None:
            with suppress(LostError):
                return self._ask(self._child, request)
        self._child = DecodingProcess(self._command, self._timeout_s)
        try:
            return self._ask(self._child, request)
        except LostError as lost:
            return Decoded(error=lost.error)

    def _ask(self, child: DecodingProcess, request: Request) -> Decoded:
        try:
            return child.ask(request)
        except BaseException:
            # Also when a task is interrupted: the next image must not be given this one's answer.
            self.close()
            raise


_of_this_process: dict[tuple[int, DecodeLimits], Sandbox] = {}


def shared_sandbox(limits: DecodeLimits) -> Sandbox:
    """The one sandbox with these limits in this process, whose child ends with it."""
    # By process id: after a fork, two processes must not speak to one child.
    return _of_this_process.setdefault((os.getpid(), limits), Sandbox(limits))
