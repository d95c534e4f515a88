"""Ray Train's workers for whatever is fitted or trained: started, replaced when lost, heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

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
from ufd_ray.pipeline.fitting.progress import fit_lines
from ufd_ray.storage import (
    StorageOptions,
    join_uri,
    new_run_id,
    open_filesystem,
    parse_uri,
    tidy_up,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """How many workers there are, and how they live.

    Attributes:
        num: how many.
        resources: what each takes of a machine, in Ray's words.
        backend: of `torch.distributed`.
        max_failures: lost workers after which it is given up.
        what: they do, for messages: `fit`.
    """

    num: int
    resources: dict[str, float]
    backend: str
    max_failures: int
    what: str


def run_workers(
    function: Callable[[dict[str, Any]], T | UfdError],
    task: Any,
    workers: Workers,
    output: str,
    storage: StorageOptions,
    last_word: Any,
    progress_s: float,
) -> T:
    """Have all workers call a function, again from the last checkpoint when one is lost.

    Args:
        function: is given `{"task": task}`. An error of ours that all workers agree on it returns,
            since Ray Train would take one that is raised for a lost worker.
        task: what every worker is given.
        workers: how many there are.
        output: URI below which checkpoints lie while it goes on.
        storage: how it is reached.
        last_word: actor that the first worker tells how far it is.
        progress_s: seconds between two lines of that.

    Returns:
        What the first worker returns.

    Raises:
        UfdError: the one that was returned, or workers were lost more often than `max_failures`.
    """
    # Below the output, where every node can reach it, and under a name of its own: what a killed
    # job left is never picked up.
    scratch = join_uri(output, f"fitting-{new_run_id()}")
    place = parse_uri(scratch)
    trainer = TorchTrainer(
        function,
        train_loop_config={"task": task},
        scaling_config=ScalingConfig(
            num_workers=workers.num,
            use_gpu="GPU" in workers.resources,
            resources_per_worker=workers.resources,
        ),
        torch_config=TorchConfig(backend=workers.backend),
        run_config=RunConfig(
            name="checkpoints",
            storage_path=place.path,
            storage_filesystem=open_filesystem(place, storage),
            failure_config=FailureConfig(max_failures=workers.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            logging_config=LoggingConfig(log_level="CRITICAL"),
        ),
    )
    try:
        with fit_lines(last_word, progress_s):
            found: T | UfdError = trainer.fit().return_value
    except TrainingFailedError as error:
        raise ClusterError(_in_one_line(error, workers)) from error
    finally:
        tidy_up(scratch, storage)
    if isinstance(found, UfdError):
        raise found
    return found


def _in_one_line(error: TrainingFailedError, workers: Workers) -> str:
    failures = getattr(error, "worker_failures", {})
    why = next(iter(failures.values()), error)
    told = " ".join(str(why).split())[:300]
    return (
        f"the {workers.what} failed more than {workers.max_failures} times (--max-failures); the"
        f" last time worker {next(iter(failures), 0)} was lost or failed:"
        f" {type(why).__name__}: {told}"
    )
