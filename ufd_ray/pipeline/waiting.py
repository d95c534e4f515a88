"""Waiting for machines that a cluster has yet to start, in words instead of silence."""

from __future__ import annotations

import time

import ray
import ray.data
import ray.exceptions

from ufd_ray.encoders import require_device
from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.pipeline.cluster import Cluster, look_at_cluster
from ufd_ray.pipeline.placement import LIGHT, Placement, gpus_of_an_encoder, place
from ufd_ray.settings import Device, ImageSettings

_BUSY_S = 10.0
"""After which a machine that is up and does not answer counts as busy."""
_TOLD_EVERY_S = 60.0


def find_place(
    settings: ImageSettings, device: Device, cluster: Cluster, search: Device = "cpu"
) -> Placement:
    """Wait until an encoder has a machine to run on, then place all workers.

    A cluster that loses its machines midway is given the same time to bring others.

    Args:
        settings: the job's.
        device: on which encoders compute.
        cluster: as it was.
        search: on which a bank is searched at the same time.

    Raises:
        SettingsError: nothing like that is here, and nothing can join.
        ClusterError: none came in time, or its device cannot be used.
    """
    stay_through_losses(settings.wait_for_gpus_s)
    gpus = gpus_of_an_encoder(settings, device, search)
    cluster = wait_for_machine(
        cluster, settings.wait_for_gpus_s, num_cpus=LIGHT, num_gpus=gpus, device=device
    )
    return place(settings, device, cluster, search)


def stay_through_losses(timeout_s: float) -> None:
    """Give flows that lose all their machines that long for others to come.

    Args:
        timeout_s: in seconds; Ray Data's own patience where that is longer.
    """
    context = ray.data.DataContext.get_current()
    own = context.execution_no_progress_timeout_s
    context.execution_no_progress_timeout_s = max(timeout_s, own)


def wait_for_machine(
    cluster: Cluster,
    timeout_s: float,
    *,
    num_cpus: float,
    num_gpus: float = 0,
    device: Device = "cpu",
) -> Cluster:
    """Ask for a machine on which one worker fits, wait for it, and see that its device works.

    Asking is what makes a cluster that is scaled to zero start one.

    Args:
        cluster: as it was.
        timeout_s: longest wait, in seconds.
        num_cpus: logical CPUs that the worker sets aside.
        num_gpus: GPUs that it sets aside.
        device: on which it computes.

    Returns:
        The cluster as it is by then.

    Raises:
        SettingsError: nothing like that is here, and nothing can join.
        ClusterError: none came in time, or its device cannot be used.
    """
    wanted = f"{num_gpus:g} GPU" if num_gpus else f"{num_cpus:g} CPU"
    is_up = cluster.num_nodes > 0 and cluster.num_gpus >= num_gpus
    if not is_up and not cluster.may_grow:
        raise SettingsError(f"a worker wants {wanted}, and this machine does not have it")
    if is_up and device == "cpu":
        return cluster
    # A machine that is lost before it has answered is no answer: another one is asked.
    tried = ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_retries=-1)(require_device)
    answer = tried.remote(device)
    if not _wait(answer, f"a machine with {wanted} to spare", _BUSY_S * is_up, timeout_s):
        ray.cancel(answer, force=True)
        raise ClusterError(
            f"no machine with {wanted} to spare came within {timeout_s:g} s"
            " (--wait-for-gpus-s, where the job has it); other jobs may hold them, or the cluster"
            " may not start any: its autoscaler's log says why"
        )
    ray.get(answer)
    return look_at_cluster(cluster.may_grow)


def _wait(answer: object, wanted: str, in_silence_s: float, timeout_s: float) -> bool:
    """Wait for the answer, and say so from time to time; False: it did not come in time."""
    begun, told = time.monotonic(), False
    pause_s = min(in_silence_s, timeout_s)
    while not ray.wait([answer], timeout=pause_s)[0]:
        waited_s = time.monotonic() - begun
        if waited_s >= timeout_s:
            return False
        print(f"waiting for {wanted}: {waited_s:.0f} of at most {timeout_s:.0f} s")
        pause_s, told = min(_TOLD_EVERY_S, timeout_s - waited_s), True
    if told:
        print(f"it is there, after {time.monotonic() - begun:.0f} s")
    return True
