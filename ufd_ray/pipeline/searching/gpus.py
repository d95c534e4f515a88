"""The machines whose GPUs a bank can be searched on: asked, since Ray knows no GPU's memory."""

from __future__ import annotations

from dataclasses import dataclass

import ray
import ray.exceptions
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ufd_ray.errors import ClusterError
from ufd_ray.pipeline.cluster import Cluster, look_at_cluster
from ufd_ray.pipeline.placement import SEARCHING_GPU
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.search_device import or_on_cpus, require_search_device
from ufd_ray.pipeline.waiting import wait_for_machine

_OTHERS_S = 60.0
"""How long is waited for further machines once one has answered: others may be busy for hours."""


@dataclass(frozen=True)
class Gpus:
    """Machines with a GPU on which there is room for a search.

    Attributes:
        nodes: their ids, at least one.
        memory: bytes of the smallest of their GPUs.
        cluster: these machines alone.
    """

    nodes: tuple[str, ...]
    memory: int
    cluster: Cluster


def find_gpus(cluster: Cluster, timeout_s: float) -> Gpus:
    """Wait for a machine with a GPU, then ask all that are up.

    Those that do not answer soon are left out: another job may hold their GPUs. So are those that
    are lost meanwhile.

    Args:
        cluster: as it was.
        timeout_s: longest wait for the first one, in seconds.

    Raises:
        SettingsError: there is none, and none can join.
        ClusterError: none came in time, or a GPU cannot be used.
    """
    with or_on_cpus(), our_errors_only():
        wait_for_machine(cluster, timeout_s, num_cpus=0, num_gpus=SEARCHING_GPU, device="cuda")
    questions = {}
    for node in ray.nodes():
        if node["Alive"] and node["Resources"].get("GPU", 0) >= 1:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ask = ray.remote(
                num_cpus=0, num_gpus=SEARCHING_GPU, max_retries=0, scheduling_strategy=there
            )(_gpu_memory)
            questions[ask.remote()] = node["NodeID"]
    answered, silent = ray.wait(list(questions), num_returns=1, timeout=timeout_s)
    if silent:
        more, silent = ray.wait(silent, num_returns=len(silent), timeout=_OTHERS_S)
        answered += more
    for question in silent:
        ray.cancel(question, force=True)
    found = {}
    for question in answered:
        try:
            found[questions[question]] = ray.get(question)
        except ray.exceptions.RayTaskError:  # its GPU cannot be used
            raise
        except ray.exceptions.RayError:  # the machine has gone
            continue
    if not found:
        raise ClusterError(
            f"none of {len(questions)} machines with a GPU had room for a search within"
            f" {timeout_s:g} s: other jobs may hold them; submit the job again, or give"
            " --search-device cpu"
        )
    nodes = tuple(sorted(found))
    return Gpus(nodes, min(found.values()), look_at_cluster(cluster.may_grow, nodes))


def _gpu_memory() -> int:
    require_search_device("cuda")
    return int(torch.cuda.mem_get_info()[1])
