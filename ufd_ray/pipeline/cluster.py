"""Joining or starting Ray, and what it has."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, NoReturn

import ray
import ray.data
from ray.experimental.internal_kv import _internal_kv_get

from ufd_ray.errors import ClusterError
from ufd_ray.redaction import redact

_ANSWERS_WITHIN_S = 60.0
"""How long a first connection is tried for: a head that is started anew is away for less."""
_AGAIN_AFTER_S = 1.0
_MOST_SAID = 300
"""Characters of what Ray says; a traceback follows."""


@dataclass(frozen=True)
class Cluster:
    """The machines as they are now.

    Attributes:
        cpus_by_node: logical CPUs of each that is up and takes work (a head often has none to
            give); empty where all are still to come.
        num_gpus: GPUs in all.
        may_grow: it was there before the job, so machines may join it.
        autoscales: it starts machines on demand.
        memory: bytes that Ray has for workers on the smallest machine that takes work.
        object_store: bytes of the smallest object store of one.
    """

    cpus_by_node: tuple[int, ...]
    num_gpus: int = 0
    may_grow: bool = False
    autoscales: bool = False
    memory: int = 0
    object_store: int = 0

    @property
    def num_nodes(self) -> int:
        """Machines that take work."""
        return len(self.cpus_by_node)

    @property
    def num_cpus(self) -> int:
        """Logical CPUs in all."""
        return sum(self.cpus_by_node)


def join_cluster() -> Cluster:
    """Join the Ray cluster that `RAY_ADDRESS` names, or start one on this machine.

    `ray job submit` sets it. Without it, a Ray that happens to run here is left alone: it may be
    somebody else's, and a trace of one that has gone would be looked for in vain for minutes.

    Raises:
        ClusterError: it cannot be joined, or does not start.
    """
    address = os.environ.get("RAY_ADDRESS")
    may_grow = bool(address) or ray.is_initialized()
    if not ray.is_initialized():
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if not address:
            quiet |= {"address": "local", "include_dashboard": False}
        try:
            _wait_for_answer(address or "")
            with _without_greeting():
                ray.init(**quiet)
        except Exception as error:  # of any kind: Ray raises plain ones as well
            raise ClusterError(_why_no_ray(address, error)) from error
    if threading.current_thread() is threading.main_thread():
        # As Ctrl-C: the run's record says that it failed. (Ray's own handler aborts the process.)
        signal.signal(signal.SIGTERM, _interrupt)
    set_up_data()
    return look_at_cluster(may_grow)


def _wait_for_answer(address: str) -> None:
    """Wait until something listens at `host:port`: Ray itself would try for twenty minutes.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.rpartition(":")
    # Neither `auto`, `local`, `ray://…`, nor an IPv6 address without brackets and port.
    if not host or not port.isdigit() or "/" in host or (":" in host and host[-1] != "]"):
        return
    until = time.monotonic() + _ANSWERS_WITHIN_S
    while True:
        left = until - time.monotonic()
        try:
            socket.create_connection((host.strip("[]"), int(port)), max(1, left)).close()
            return
        except OSError:
            if left <= 0:
                raise
            time.sleep(_AGAIN_AFTER_S)


def _why_no_ray(address: str | None, error: Exception) -> str:
    said = shorten(redact(str(error)), _MOST_SAID, placeholder=" …") or type(error).__name__
    if address and address != "local":
        return (
            f"the cluster of RAY_ADDRESS={redact(address)} cannot be joined: {said}; expected Ray"
            f" {ray.__version__} to run there, and to take this job's token where it asks for one"
        )
    return (
        f"Ray does not start on this machine: {said}; look into its logs (/tmp/ray/session_latest/"
        "logs, unless RAY_TMPDIR says otherwise), and whether memory and disk are left"
    )


def set_up_data() -> Any:
    """Ray Data in this process as every flow of ours wants it; returns its context."""
    # What ends a run comes back as an exception; Ray Data would tell of it in pages before.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Wrapped, an error of ours would come back as text.
    context.raise_original_map_exception = True
    # A block that fails as a whole would take its other images with it: it ends the run instead.
    context.max_errored_blocks = 0
    return context


def look_at_cluster(may_grow: bool, only: Collection[str] | None = None) -> Cluster:
    """The cluster that this process has joined, as it is now.

    Args:
        may_grow: it was there before the job.
        only: ids of the machines that count; None: all do, and those with a CPU take work.
    """
    alive = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    nodes = [alive[name] for name in alive if only is None or name in only]
    working = [node for node in nodes if only is not None or node.get("CPU", 0) >= 1]
    return Cluster(
        cpus_by_node=tuple(int(node.get("CPU", 0)) for node in working),
        num_gpus=int(sum(node.get("GPU", 0) for node in nodes)),
        may_grow=may_grow,
        autoscales=may_grow and _autoscales(),
        memory=int(min((node.get("memory", 0) for node in working), default=0)),
        object_store=int(min((node.get("object_store_memory", 0) for node in working), default=0)),
    )


def _autoscales() -> bool:
    """Whether something starts machines for this cluster when it is asked for more than it has.

    There is no public answer. The second autoscaler says that it is there; the first reports what
    it sees, and a mere observer, as every head has one, calls each machine `node_` and its id.
    """
    if _internal_kv_get("__autoscaler_v2_enabled", namespace="__autoscaler") == b"1":
        return True
    status = json.loads(_internal_kv_get("__autoscaling_status") or b"{}")
    kinds = (status.get("autoscaler_report") or {}).get("node_type_mapping") or {}
    return any(kind != f"node_{node_id}" for node_id, kind in kinds.items())


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def this_node() -> tuple[int, float]:
    """Logical CPUs, at least one, and GPUs of the machine that the calling worker runs on."""
    here = ray.get_runtime_context().get_node_id()
    (node,) = (node for node in ray.nodes() if node["NodeID"] == here)
    return max(1, int(node["Resources"].get("CPU", 1))), node["Resources"].get("GPU", 0)


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
