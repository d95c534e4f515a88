"""The driver's part of training: how many workers there are, and what each is given."""

from __future__ import annotations

from typing import Any

import ray

from ufd_ray.baselines import Baseline
from ufd_ray.encoders import EncoderSpec
from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.fitting.progress import start_last_word
from ufd_ray.pipeline.fitting.workers import Workers, run_workers
from ufd_ray.pipeline.training.pictures import Wanted
from ufd_ray.pipeline.training.stream import Reading
from ufd_ray.pipeline.training.worker import Task, Trained, train_on_worker
from ufd_ray.pipeline.waiting import wait_for_machine
from ufd_ray.settings import Device, TrainBaselineSettings
from ufd_ray.storage import FetchLimits, StorageOptions, parse_uri

CPUS_OF_A_WORKER = 0.5
CHECKPOINT_S = 30.0
"""Fewest seconds between two checkpoints. They are taken after epochs alone."""
_READING = 1.0
"""CPUs that workers leave to fetching and decoding."""


def train(
    settings: TrainBaselineSettings,
    baseline: Baseline,
    spec: EncoderSpec | None,
    images: Any,
    device: Device,
    storage: StorageOptions,
    cluster: Cluster,
) -> Trained:
    """Train a baseline by Ray Train's workers.

    Args:
        settings: the job's.
        baseline: which.
        spec: whose weights it starts from; None: it starts from scratch.
        images: `pa.Table` of `Surveyed`.
        device: on which is computed.
        storage: how storage is reached.
        cluster: as it was.

    Raises:
        UfdError: training failed, or lost workers more often than `max_failures`.
    """
    num_gpus = float(device == "cuda")
    cluster = wait_for_machine(
        cluster,
        settings.wait_for_gpus_s,
        num_cpus=CPUS_OF_A_WORKER,
        num_gpus=num_gpus,
        device=device,
    )
    num_workers = choose_workers(settings.num_workers, device, cluster)
    wanted = settings.num_workers or (cluster.num_gpus if num_gpus else 1)
    if num_workers < wanted:
        gpus = f"{cluster.num_gpus} GPUs and " if num_gpus else ""
        there = f"{gpus}{cluster.num_cpus} CPUs"
        print(f"{num_workers} workers instead of {wanted}: there are {there}")
    place = parse_uri(settings.output)
    last_word = start_last_word()
    task = Task(
        baseline=baseline,
        spec=spec,
        seed=settings.seed,
        images=ray.put(images),
        reading=Reading(
            Wanted.of(baseline, settings.seed),
            FetchLimits.of(settings),
            DecodeLimits.of(settings),
            storage,
        ),
        device=device,
        in_bf16=uses_bf16(settings, device),
        # Ray Train's workers have working directories of their own.
        output=place.path if place.scheme == "file" else settings.output,
        storage=storage,
        checkpoint_s=CHECKPOINT_S,
        last_word=last_word,
    )
    workers = Workers(
        num_workers,
        {"CPU": CPUS_OF_A_WORKER} | ({"GPU": num_gpus} if num_gpus else {}),
        "cpu:gloo,cuda:nccl" if num_gpus else "gloo",
        settings.max_failures,
        what="training",
    )
    return run_workers(
        train_on_worker, task, workers, settings.output, storage, last_word, settings.progress_s
    )


def choose_workers(asked: int | None, device: Device, cluster: Cluster) -> int:
    """How many workers there are.

    Args:
        asked: at most so many; None: one a GPU, or one a machine.
        device: on which they compute.
        cluster: as it is; of its CPUs, one is left to reading.
    """
    there = int((cluster.num_cpus - _READING) / CPUS_OF_A_WORKER)
    if device == "cuda":
        there, usual = min(cluster.num_gpus, there), cluster.num_gpus
    else:
        usual = cluster.num_nodes
    return max(1, min(usual if asked is None else asked, there))


def uses_bf16(settings: TrainBaselineSettings, device: Device) -> bool:
    """Whether products are made in bfloat16."""
    return settings.precision == "bf16" or (settings.precision == "auto" and device == "cuda")
