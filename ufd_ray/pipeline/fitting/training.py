"""The driver's part of a fit: starts Ray Train's workers, and replaces those that are lost."""

from __future__ import annotations

from dataclasses import replace

from ray.train import (
    CheckpointConfig,
    FailureConfig,
    LoggingConfig,
    RunConfig,
    ScalingConfig,
    TrainingFailedError,
)
from ray.train.torch import TorchConfig, TorchTrainer

from ufd_ray.errors import ClusterError, UfdError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.fitting.progress import fit_lines, start_last_word
from ufd_ray.pipeline.fitting.worker import Fitted, Task, fit_on_worker
from ufd_ray.pipeline.waiting import wait_for_machine
from ufd_ray.settings import FitProbeSettings
from ufd_ray.storage import (
    BankInfo,
    StorageOptions,
    join_uri,
    new_run_id,
    open_filesystem,
    parse_uri,
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
    lies = parse_uri(bank.uri)
    task = Task(
        settings=settings,
        # Ray Train's workers have working directories of their own.
        bank=replace(bank, uri=lies.path) if lies.scheme == "file" else bank,
        storage=storage,
        l2_grid=l2_grid,
        num_folds=num_folds,
        fewer_folds_do=fewer_folds_do,
        checkpoint_s=CHECKPOINT_S,
        last_word=last_word,
    )
    # Below the probe, where every node can reach it, and under a name of its own: what a killed
    # job left is never picked up.
    scratch = join_uri(settings.output, f"fitting-{new_run_id()}")
    place = parse_uri(scratch)
    trainer = TorchTrainer(
        fit_on_worker,
        train_loop_config={"task": task},
        scaling_config=ScalingConfig(
            num_workers=num_workers, resources_per_worker={"CPU": CPUS_OF_A_WORKER}
        ),
        torch_config=TorchConfig(backend="gloo"),
        run_config=RunConfig(
            name="checkpoints",
            storage_path=place.path,
            storage_filesystem=open_filesystem(place, storage),
            failure_config=FailureConfig(max_failures=settings.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            logging_config=LoggingConfig(log_level="CRITICAL"),
        ),
    )
    try:
        with fit_lines(last_word, settings.progress_s):
            found: Fitted | UfdError = trainer.fit().return_value
    except TrainingFailedError as error:
        raise ClusterError(_in_one_line(error, settings.max_failures)) from error
    finally:
        tidy_up(scratch, storage)
    if isinstance(found, UfdError):
        raise found
    return found


def _in_one_line(error: TrainingFailedError, max_failures: int) -> str:
    failures = getattr(error, "worker_failures", {})
    why = next(iter(failures.values()), error)
    told = " ".join(str(why).split())[:300]
    return (
        f"the fit failed more than {max_failures} times (--max-failures); the last time worker"
        f" {next(iter(failures), 0)} was lost or failed: {type(why).__name__}: {told}"
    )
