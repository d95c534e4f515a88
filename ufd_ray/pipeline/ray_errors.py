"""What Ray's errors mean: ours that lie within them, and those that others have to be told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import ray.exceptions
from ray.data.exceptions import ExecutionTimeoutError

from ufd_ray.errors import ClusterError, SettingsError, StorageError, UfdError

E = TypeVar("E", bound=BaseException)


@contextmanager
def our_errors_only() -> Iterator[None]:
    """Raise the error of ours that lies within Ray's; a file system's becomes one of ours."""
    try:
        yield
    except Exception as error:
        ours = _find(error, UfdError)
        if ours is None and (refusal := _find(error, OSError)) is not None:
            ours = StorageError(f"{type(refusal).__name__}: {refusal}")
        if ours is None and _find(error, ExecutionTimeoutError) is not None:
            ours = ClusterError(
                "no image was finished for half an hour, or for --wait-for-gpus-s where that is"
                " longer: the machines that the encoders need are gone, or hang; submit the job"
                " again to go on"
            )
        if ours is None or ours is error:
            raise
        # Ray Data writes its own advice behind the message.
        ours.args = tuple(str(a).partition("\nFailed to ")[0] for a in ours.args)
        raise ours from error


@contextmanager
def work_begun() -> Iterator[None]:
    """From here on, nothing is a fault of the settings that could have been said before."""
    try:
        yield
    except SettingsError as error:
        raise UfdError(str(error)) from error


def _find(error: BaseException | None, kind: type[E]) -> E | None:
    # Depth first through what Ray wrapped around it; a Train failure wraps one error a worker.
    pending, seen = [error], set[int]()
    while pending:
        error = pending.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        if isinstance(error, kind) and not isinstance(error, ray.exceptions.RayError):
            return error
        pending += [error.__context__, error.__cause__, getattr(error, "cause", None)]
        pending += getattr(error, "worker_failures", {}).values()
    return None
