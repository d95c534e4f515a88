"""Ray Train's workers for whatever is fitted or trained: started, and replaced when lost."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ray.exceptions import RayActorError
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
from ufd_ray.pipeline.data_parallel.progress import last_words
from ufd_ray.storage import StorageOptions, open_filesystem, parse_uri

T = TypeVar("T")

_PLACED_WITHIN_S = 60.0
"""After so long without a place for all workers Ray Train counts one failure of its own."""
_UNPLACED = ("WorkerGroupStartupTimeoutError", "WorkerGroupStartupFailedError")
"""How it calls these failures: it exports no such names."""


@dataclass(frozen=True)
class Workers:
    """How many workers there are, and how they live.

    Attributes:
        num: how many.
        resources: what each takes of a machine, in Ray's words.
        backend: of `torch.distributed`.
        max_failures: lost workers after which it is given up.
        wait_s: longest wait for machines on which all of them fit, at the start and after losses
            together; a minute at least.
        what: they do, for messages: `fit`.
    """

    num: int
    resources: dict[str, float]
    backend: str
    max_failures: int
    wait_s: float
    what: str

    def __str__(self) -> str:
        of_each = ", ".join(f"{number:g} {name}" for name, number in self.resources.items())
        return f"{self.num} workers ({of_each} each)"


def run_workers(
    function: Callable[[dict[str, Any]], T | UfdError],
    task: Any,
    workers: Workers,
    folder: str,
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
        folder: URI where checkpoints lie, which every machine can reach. What an earlier call left
            there is taken up again; who calls deletes it.
        storage: how it is reached.
        last_word: actor that the first worker tells how far it is.
        progress_s: seconds between two lines of that.

    Returns:
        What the first worker returns.

    Raises:
        UfdError: the one that was returned, workers were lost more often than `max_failures`,
            there was no place for them for as long as `wait_s`, or Ray Train failed.
    """
    place = parse_uri(folder)
    trainer = TorchTrainer(
        function,
        train_loop_config={"task": task},
        scaling_config=ScalingConfig(
            num_workers=workers.num,
            use_gpu="GPU" in workers.resources,
            resources_per_worker=workers.resources,
            # CPUs of one machine would share what several machines have.
            placement_strategy="PACK" if "GPU" in workers.resources else "SPREAD",
        ),
        torch_config=TorchConfig(backend=workers.backend),
        run_config=RunConfig(
            name="checkpoints",
            storage_path=place.path,
            storage_filesystem=open_filesystem(place, storage),
            failure_config=FailureConfig(
                max_failures=workers.max_failures,
                # Without a limit, workers for whom there is no place are waited for for ever.
                controller_failure_limit=math.ceil(workers.wait_s / _PLACED_WITHIN_S) - 1,
            ),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            logging_config=LoggingConfig(log_level="CRITICAL"),
        ),
    )
    before = signal.getsignal(signal.SIGINT)
    try:
        with last_words(last_word, progress_s, waiting_for=str(workers)):
            found: T | UfdError = trainer.fit().return_value
    except TrainingFailedError as error:
        raise ClusterError(_in_one_line(error, workers)) from error
    except RayActorError as error:
        told = " ".join(str(error).split())[:300]
        raise ClusterError(
            f"the {workers.what} failed, since Ray Train's controller ended: {told}; it would go on"
            f" from {folder}: if this comes again, delete that folder"
        ) from error
    except SystemExit as error:
        # What Ray Train makes of SIGINT, by a handler of its own that it leaves behind.
        raise KeyboardInterrupt from error
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
    if isinstance(found, UfdError):
        raise found
    return found


def _in_one_line(error: TrainingFailedError, workers: Workers) -> str:
    controllers = getattr(error, "controller_failure", None)
    if type(controllers).__name__ in _UNPLACED:
        return (
            f"the {workers.what} was given up: {workers} were wanted, and could not be started for"
            f" {workers.wait_s:g} s in all: other jobs may hold what they need, or machines were"
            " lost; ask for fewer (--num-workers)"
        )
    if controllers is not None:
        told = " ".join(str(controllers).split())[:300]
        return f"the {workers.what} failed: {type(controllers).__name__}: {told}"
    failures = getattr(error, "worker_failures", {})
    why = next(iter(failures.values()), error)
    told = " ".join(str(why).split())[:300]
    return (
        f"the {workers.what} failed more than {workers.max_failures} times (--max-failures); the"
        f" last time worker {next(iter(failures), 0)} was lost or failed:"
        f" {type(why).__name__}: {told}"
    )
