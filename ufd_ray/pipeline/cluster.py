"""Joining or starting Ray, what it has, and what its errors mean."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ufd_ray.errors import UfdError

# Read by Ray when it is imported, so set before that. On a cluster the cluster's own word counts.
if "RAY_ADDRESS" not in os.environ:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "RAY_AUTH_MODE" not in os.environ:
        # A cluster of our own, for this process alone: a token of its own, none left at home.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")

import logging

import ray
import ray.data
import ray.exceptions


@dataclass(frozen=True)
class Cluster:
    """What the pipeline can count on.

    Attributes:
        num_nodes: machines that are up.
        num_cpus: logical CPUs in all.
        num_gpus: GPUs in all.
    """

    num_nodes: int
    num_cpus: int
    num_gpus: int


def join_cluster() -> Cluster:
    """Join the Ray cluster that this process belongs to, or start one on this machine."""
    if not ray.is_initialized():
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        if os.environ.get("RAY_ADDRESS"):
            ray.init(**quiet)
        else:
            ray.init(include_dashboard=False, **quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A block that fails as a whole would take its other images with it: it ends the run instead.
    context.max_errored_blocks = 0
    resources = ray.cluster_resources()
    return Cluster(
        num_nodes=sum(node["Alive"] for node in ray.nodes()),
        num_cpus=int(resources.get("CPU", 1)),
        num_gpus=int(resources.get("GPU", 0)),
    )


def cpus_of_this_node() -> int:
    """Logical CPUs of the machine that the calling worker runs on."""
    here = ray.get_runtime_context().get_node_id()
    (node,) = (node for node in ray.nodes() if node["NodeID"] == here)
    return max(1, int(node["Resources"].get("CPU", 1)))


@contextmanager
def our_errors_only() -> Iterator[None]:
    """Raise the error of ours that lies within Ray's, if there is one; any other as it is."""
    try:
        yield
    except Exception as error:
        if (ours := _find_ours(error)) is not None and ours is not error:
            raise ours from error
        raise


def _find_ours(error: BaseException | None) -> UfdError | None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, UfdError) and not isinstance(error, ray.exceptions.RayError):
            return error
        seen.add(id(error))
        error = getattr(error, "cause", None) or error.__cause__ or error.__context__
    return None
