"""The driver's part of a fit: how many workers there are, and what each is given."""

from __future__ import annotations

from dataclasses import replace

from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.data_parallel.progress import start_last_word
from ufd_ray.pipeline.data_parallel.workers import Workers, run_workers
from ufd_ray.pipeline.fitting.worker import Fitted, Task, fit_on_worker
from ufd_ray.pipeline.waiting import wait_for_machine
from ufd_ray.settings import FitProbeSettings
from ufd_ray.storage import (
    BankInfo,
    StorageOptions,
    absolute_uri,
    join_uri,
    new_run_id,
    tidy_up,
)

CPUS_OF_A_WORKER = 0.5
CHECKPOINT_S = 5.0
"""Between two checkpoints. Ray Train takes note of one every two seconds: more had to wait."""
_WAIT_S = 1800.0
"""Longest wait for a machine, where the cluster has yet to start one."""


def train(
    settings: FitProbeSettings,
    bank: BankInfo,
    storage: StorageOptions,
    cluster: Cluster,
    *,
    l2_grid: tuple[float, ...],
    num_folds: int,
    fewer_folds_do: bool,
) -> Fitted:
    """Fit a probe by Ray Train's workers. Arguments as in `Task`.

    Raises:
        UfdError: the fit failed, or lost workers more often than `max_failures`.
    """
    cluster = wait_for_machine(cluster, _WAIT_S, num_cpus=CPUS_OF_A_WORKER)
    num_workers = min(settings.num_workers, max(1, int(cluster.num_cpus / CPUS_OF_A_WORKER)))
    if num_workers < settings.num_workers:
        print(
            f"{num_workers} workers instead of {settings.num_workers}: there are"
            f" {cluster.num_cpus} CPUs"
        )
    last_word = start_last_word()
    task = Task(
        settings=settings,
        bank=replace(bank, uri=absolute_uri(bank.uri)),
        storage=storage,
        l2_grid=l2_grid,
        num_folds=num_folds,
        fewer_folds_do=fewer_folds_do,
        checkpoint_s=CHECKPOINT_S,
        last_word=last_word,
    )
    workers = Workers(
        num_workers,
        {"CPU": CPUS_OF_A_WORKER},
        "gloo",
        settings.max_failures,
        _WAIT_S,
        what="fit",
    )
    # Below the output, where every node can reach it, and under a name of its own: what a killed
    # job left is never picked up.
    scratch = join_uri(settings.output, f"fitting-{new_run_id()}")
    try:
        return run_workers(
            fit_on_worker, task, workers, scratch, storage, last_word, settings.progress_s
        )
    finally:
        tidy_up(scratch, storage)
