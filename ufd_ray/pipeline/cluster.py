"""Joining or starting Ray, what it has, and what its errors mean."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import ray
import ray.data
import ray.exceptions

from ufd_ray.errors import SettingsError, StorageError, UfdError

E = TypeVar("E", bound=BaseException)


@dataclass(frozen=True)
class Cluster:
    """What the pipeline can count on.

    Attributes:
        num_nodes: machines that are up and take work (a head often has no CPU to give).
        num_cpus: logical CPUs in all.
        num_gpus: GPUs in all.
    """

    num_nodes: int
    num_cpus: int
    num_gpus: int


def join_cluster() -> Cluster:
    """Join the Ray cluster that this process belongs to, or start one on this machine."""
    if not ray.is_initialized():
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if not os.environ.get("RAY_ADDRESS"):
            quiet["include_dashboard"] = False
        with _without_greeting():
            ray.init(**quiet)
    # What ends a run comes back as an exception; Ray Data would tell of it in pages before.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if threading.current_thread() is threading.main_thread():
        # As Ctrl-C: the run's record says that it failed. (Ray's own handler aborts the process.)
        signal.signal(signal.SIGTERM, _interrupt)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Wrapped, an error of ours would come back as text.
    context.raise_original_map_exception = True
    # A block that fails as a whole would take its other images with it: it ends the run instead.
    context.max_errored_blocks = 0
    resources = ray.cluster_resources()
    return Cluster(
        num_nodes=max(1, sum(_works(node) for node in ray.nodes())),
        num_cpus=int(resources.get("CPU", 1)),
        num_gpus=int(resources.get("GPU", 0)),
    )


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _works(node: dict[str, Any]) -> bool:
    return bool(node["Alive"]) and node["Resources"].get("CPU", 0) >= 1


def cpus_of_this_node() -> int:
    """Logical CPUs of the machine that the calling worker runs on."""
    here = ray.get_runtime_context().get_node_id()
    (node,) = (node for node in ray.nodes() if node["NodeID"] == here)
    return max(1, int(node["Resources"].get("CPU", 1)))


@contextmanager
def our_errors_only() -> Iterator[None]:
    """Raise the error of ours that lies within Ray's; a file system's becomes one of ours."""
    try:
        yield
    except Exception as error:
        ours = _find(error, UfdError)
        if ours is None and (refusal := _find(error, OSError)) is not None:
            ours = StorageError(f"{type(refusal).__name__}: {refusal}")
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


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Keep from the terminal that Ray's core tells of its own log level; show it if Ray fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        terminal = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
