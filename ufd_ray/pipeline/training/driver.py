"""The driver's part of training: how many workers there are, and what each is given."""

from __future__ import annotations

from typing import Any, Literal

import ray

from ufd_ray.baselines import Baseline
from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.data_parallel.progress import start_last_word
from ufd_ray.pipeline.data_parallel.workers import Workers, run_workers
from ufd_ray.pipeline.training.origin import Origin
from ufd_ray.pipeline.training.pictures import Wanted
from ufd_ray.pipeline.training.stream import Reading
from ufd_ray.pipeline.training.worker import Task, Trained, train_on_worker
from ufd_ray.pipeline.waiting import wait_for_machine
from ufd_ray.settings import Device, Precision, TrainBaselineSettings
from ufd_ray.storage import FetchLimits, StorageOptions, absolute_uri

CPUS_OF_A_WORKER = 0.5
CHECKPOINT_S = 30.0
"""Fewest seconds between two checkpoints. They are taken after epochs alone."""
_READING = 1.0
"""CPUs that workers leave to fetching and decoding."""


def train(
    settings: TrainBaselineSettings,
    origin: Origin,
    images: Any,
    folder: str,
    storage: StorageOptions,
    cluster: Cluster,
) -> Trained:
    """Train a baseline by Ray Train's workers.

    Args:
        settings: the job's.
        origin: what is trained, and how.
        images: `pa.Table` of `Surveyed`.
        folder: URI where checkpoints lie; from one that is there already, training goes on.
        storage: how storage is reached.
        cluster: as it was.

    Raises:
        UfdError: training failed, or lost workers more often than `max_failures`.
    """
    baseline, device = origin.baseline, origin.device
    num_gpus = float(device == "cuda")
    cluster = wait_for_machine(
        cluster,
        settings.wait_for_gpus_s,
        num_cpus=CPUS_OF_A_WORKER,
        num_gpus=num_gpus,
        device=device,
    )
    wanted = settings.num_workers or default_workers(baseline, device, cluster)
    num_workers = choose_workers(wanted, device, cluster)
    if num_workers < wanted:
        gpus = f"{cluster.num_gpus} GPUs and " if num_gpus else ""
        there = f"{gpus}{cluster.num_cpus} CPUs"
        print(f"{num_workers} workers instead of {wanted}: there are {there}")
    if baseline.has_batch_norm and num_workers > 1:
        print(
            f"not as published: each of {num_workers} workers normalises by its own share of a"
            f" batch of {baseline.recipe.batch_size}; --num-workers 1 does not"
        )
    last_word = start_last_word()
    task = Task(
        baseline=baseline,
        spec=origin.spec,
        seed=settings.seed,
        images=ray.put(images),
        reading=Reading(
            Wanted.of(baseline, settings.seed),
            FetchLimits.of(settings),
            DecodeLimits.of(settings),
            storage,
        ),
        device=device,
        precision=origin.precision,
        output=absolute_uri(settings.output),
        storage=storage,
        checkpoint_s=CHECKPOINT_S,
        last_word=last_word,
    )
    workers = Workers(
        num_workers,
        {"CPU": CPUS_OF_A_WORKER} | ({"GPU": num_gpus} if num_gpus else {}),
        "cpu:gloo,cuda:nccl" if num_gpus else "gloo",
        settings.max_failures,
        settings.wait_for_gpus_s,
        what="training",
    )
    return run_workers(
        train_on_worker, task, workers, folder, storage, last_word, settings.progress_s
    )


def default_workers(baseline: Baseline, device: Device, cluster: Cluster) -> int:
    """How many workers there are if nobody says: as many as there are GPUs, or else machines.

    A network with batch norm has one, since with more it would not be the published one.
    """
    if baseline.has_batch_norm:
        return 1
    return cluster.num_gpus if device == "cuda" else cluster.num_nodes


def choose_workers(wanted: int, device: Device, cluster: Cluster) -> int:
    """As many as are wanted, or as there is room for; one at least.

    Args:
        wanted: 1 or more.
        device: on which they compute.
        cluster: as it is; of its CPUs, one is left to reading.
    """
    room = int((cluster.num_cpus - _READING) / CPUS_OF_A_WORKER)
    if device == "cuda":
        room = min(cluster.num_gpus, room)
    return max(1, min(wanted, room))


def choose_precision(asked: Literal["auto", "fp32", "bf16"], device: Device) -> Precision:
    """In which products are made: `auto` is bf16 on GPUs, fp32 on CPUs."""
    if asked == "auto":
        return "bf16" if device == "cuda" else "fp32"
    return asked
