"""In which precision the encoder computes: decided for the machines that will, wherever we are."""

from __future__ import annotations

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ufd_ray.cpu import fast_bf16
from ufd_ray.encoders import (
    EncoderSpec,
    PrecisionChoice,
    objection_to_bf16,
    resolve_precision,
)
from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.settings import Device, ImageSettings, ReadingSettings


def choose_precision(
    settings: ImageSettings, spec: EncoderSpec, device: Device, cluster: Cluster
) -> PrecisionChoice:
    """Settle on a precision.

    `auto` on CPUs is fp32 for an encoder that loses too much in bf16; for others, every machine
    that is up and takes work is asked.

    Raises:
        SettingsError: fp16 on CPUs; `auto` where no machine is up that could be asked.
        ClusterError: none of them answered in time.
    """
    if settings.precision != "auto" or device != "cpu" or not cluster.may_grow:
        return precision_here(settings, spec, device)
    if objection := objection_to_bf16(spec):
        return PrecisionChoice("fp32", f"precision auto took fp32: {objection}")
    if not cluster.num_nodes:
        raise SettingsError(
            "precision auto: no machine of this cluster is up yet, so none can tell whether its"
            " CPUs are fast in bf16; say --precision fp32, or --precision bf16"
        )
    return resolve_precision("auto", device, _ask_machines(settings.wait_for_gpus_s))


def precision_here(settings: ReadingSettings, spec: EncoderSpec, device: Device) -> PrecisionChoice:
    """Settle on a precision where machines are like this one.

    Raises:
        SettingsError: fp16 on CPUs.
    """
    if settings.precision != "auto" or device != "cpu":
        return resolve_precision(settings.precision, device)
    if objection := objection_to_bf16(spec):
        return PrecisionChoice("fp32", f"precision auto took fp32: {objection}")
    return resolve_precision("auto", device, [fast_bf16()])


def _ask_machines(timeout_s: float) -> list[str | None]:
    nodes = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
    questions = []
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(fast_bf16)
        questions.append(task.remote())
    answered, silent = ray.wait(questions, num_returns=len(questions), timeout=timeout_s)
    for question in silent:
        ray.cancel(question, force=True)
    found = []
    for question in answered:
        try:
            found.append(ray.get(question))
        except ray.exceptions.RayError:  # the machine has gone: it will compute nothing
            continue
    if not found:
        raise ClusterError(
            f"precision auto: none of {len(nodes)} machines has told within {timeout_s:g} s whether"
            " its CPUs are fast in bf16; say --precision fp32, or --precision bf16"
        )
    return found
