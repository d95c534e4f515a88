"""How far training is: told by its first worker, printed by the driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
import ray.exceptions

from ufd_ray.pipeline.progress import repeated


class LastWord:
    """The last that was told. What is lost with a killed worker is missed by the eye alone."""

    def __init__(self) -> None:
        self._line: str | None = None

    def tell(self, line: str) -> None:
        """Replace it."""
        self._line = line

    def read(self) -> str | None:
        """The line; None before the first."""
        return self._line


def start_last_word() -> Any:
    """Start one, as an actor that takes no CPU from what it tells of."""
    return ray.remote(num_cpus=0, max_restarts=-1)(LastWord).remote()


@contextmanager
def last_words(last_word: Any, every_s: float, waiting_for: str) -> Iterator[None]:
    """Print the last word every `every_s` seconds while the block runs, each once.

    Args:
        last_word: of `start_last_word`.
        every_s: in seconds.
        waiting_for: what there has to be before the first, which workers tell when they start.
    """
    printed: list[str | None] = [None]

    def look() -> None:
        try:
            line = ray.get(last_word.read.remote(), timeout=10)
        except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
            return  # nothing depends on it
        if line is None:
            line = f"waiting for {waiting_for}"
        if line != printed[-1]:
            print(line)
            printed[-1] = line

    with repeated(look, every_s):
        yield


def started_line(num_workers: int) -> str:
    """The first line of workers that were started, or took the place of lost ones."""
    return f"workers started: {num_workers}"


def entry_line(entry: dict[str, float]) -> str:
    """One line for a new entry of a training curve."""
    if "epoch" in entry:
        return (
            f"epoch {entry['epoch']:.0f} · learning rate {entry['learning_rate']:.0e} · loss"
            f" {entry['train_loss']:.4f} · on validation images loss"
            f" {entry['validation_loss']:.4f}, accuracy {100 * entry['validation_accuracy']:.1f} %"
        )
    return (
        f"step {entry['step']:.0f} · objective {entry['loss']:.6g} · relative distance from the"
        f" optimum {entry['relative_decrement']:.1e}"
    )
