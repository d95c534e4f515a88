"""The workers' part of `train_baseline`: epochs over streamed pictures, step by step together."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
import ray.data
import ray.train
import ray.train.torch
import safetensors.torch
import torch

from ufd_ray.baselines import Baseline
from ufd_ray.detectors import EarlyStop
from ufd_ray.encoders import EncoderSpec, require_device
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.cluster import set_up_data, this_node
from ufd_ray.pipeline.data_parallel.checkpoint import TrainCheckpoint
from ufd_ray.pipeline.data_parallel.collective import agreed, sum_over_workers
from ufd_ray.pipeline.data_parallel.progress import entry_line, started_line
from ufd_ray.pipeline.memory import keep_memory
from ufd_ray.pipeline.training.course import Course
from ufd_ray.pipeline.training.judging import ValidationScores, score_validation
from ufd_ray.pipeline.training.optimizing import (
    from_arrays,
    make_optimizer,
    set_learning_rate,
    to_arrays,
)
from ufd_ray.pipeline.training.starting import new_network
from ufd_ray.pipeline.training.stepping import Stepping
from ufd_ray.pipeline.training.stream import Reading
from ufd_ray.settings import Device, Precision
from ufd_ray.storage import StorageOptions, write_network


@dataclass(frozen=True)
class Task:
    """What every worker is given.

    Attributes:
        baseline: what is trained.
        spec: whose weights it starts from; None: it starts from scratch.
        seed: of all that is drawn.
        images: reference to the `pa.Table` of `Surveyed`.
        reading: how pictures are read.
        device: on which is computed.
        precision: in which products are made; weights and sums are float32.
        output: URI where the network goes.
        storage: how it is reached.
        checkpoint_s: fewest seconds between two checkpoints, which are taken after epochs.
        last_word: actor that the first worker tells how far it is.
    """

    baseline: Baseline
    spec: EncoderSpec | None
    seed: int
    images: Any
    reading: Reading
    device: Device
    precision: Precision
    output: str
    storage: StorageOptions
    checkpoint_s: float
    last_word: Any


@dataclass(frozen=True, eq=False)
class Trained:
    """A network on storage, and what it came from.

    Attributes:
        network: what `baseline.json` says of its file.
        validated: the validation images as it sees them, by the test recipe.
        curve: the training curve: also `num_images` of an epoch, and `num_failed`, those of them
            that could not be read.
        resumed_at: as in `TrainState`.
        num_workers: that each had a share of every batch, at most.
    """

    network: dict[str, Any]
    validated: ValidationScores
    curve: list[dict[str, float]] = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)
    num_workers: int = 1


def train_on_worker(config: dict[str, Task]) -> Trained | UfdError:
    """Every worker's part of the `task`; an error of ours, on which all agree, is returned."""
    try:
        return _train(config["task"])
    except UfdError as error:
        return error


def _train(task: Task) -> Trained:
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()

    def tell(line: str) -> None:
        if rank == 0:
            task.last_word.tell.remote(line)

    tell(started_line(world_size))
    device = _set_up(task.device, task.precision)
    baseline, recipe = task.baseline, task.baseline.recipe
    network, _ = agreed(lambda: new_network(baseline, task.spec, task.seed, task.storage))
    network = network.to(device)
    optimizer = make_optimizer(recipe, network)
    checkpoint = TrainCheckpoint(sum_over_workers, task.checkpoint_s)
    state = checkpoint.load()
    if state.arrays:
        from_arrays(state.arrays, network, optimizer)
        state.arrays = {}
    # A training may be taken up again by another number of workers.
    num_workers = max(world_size, state.words.get("num_workers", 1))
    drops, best, waited = state.words.get("early_stop", (0, math.nan, 0))
    stop = EarlyStop((drops, best, waited), recipe.learning_rate)
    course = Course(task.images, task.reading, recipe, task.seed, rank, world_size)
    stepping = Stepping(baseline, network, optimizer, course, in_bf16=task.precision == "bf16")
    while len(state.curve) < recipe.max_epochs and not stop.stopped:
        set_learning_rate(optimizer, stop.learning_rate)
        epoch = len(state.curve) + 1

        def tell_step(done: int, of: int, loss: float, epoch: int = epoch) -> None:
            tell(f"epoch {epoch} · {done:,} of {of:,} batches · loss {loss:.4f}")

        entry = stepping.epoch(epoch, tell_step) | {"learning_rate": stop.learning_rate}
        if recipe.stops_early:  # never asked, it neither lowers the rate nor ends
            stop.judge(entry["validation_accuracy"])
        state.curve.append(entry)
        tell(entry_line(entry))
        if checkpoint.is_due():
            state.words = {"early_stop": list(stop.state), "num_workers": num_workers}
            state.arrays = to_arrays(network, optimizer) if rank == 0 else {}
            checkpoint.keep(state)
            state.arrays = {}
    course.end()
    validated = score_validation(
        baseline, network, task.images, task.reading, rank=rank, world_size=world_size
    )
    written = agreed(lambda: _write(task, network) if rank == 0 else {})
    return Trained(written, validated, state.curve, state.resumed_at, num_workers)


def _set_up(device: Device, precision: Precision) -> torch.device:
    """This process as training wants it."""
    context, workers = set_up_data(), ray.train.get_context()
    context.execution_options.preserve_order = True
    # Each worker's flow would take half of it for its own.
    store = ray.cluster_resources().get("object_store_memory", 0) / 2 / workers.get_world_size()
    limits = ray.data.ExecutionResources.for_limits(object_store_memory=store)
    context.execution_options.resource_limits = limits
    agreed(lambda: require_device(device))
    if device == "cuda":
        if precision == "fp32":  # torch would have TF32 do for convolutions
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        return torch.device(ray.train.torch.get_device())
    keep_memory()
    num_cpus, _ = this_node()
    torch.set_num_threads(max(1, num_cpus // workers.get_local_world_size()))
    return torch.device("cpu")


def _write(task: Task, network: torch.nn.Module) -> dict[str, Any]:
    tensors = {name: one.detach().cpu().contiguous() for name, one in network.state_dict().items()}
    with tempfile.TemporaryDirectory(prefix="ufd-ray-baseline-") as folder:
        file = Path(folder, "network.safetensors")
        safetensors.torch.save_file(tensors, file)
        return write_network(task.output, file, task.storage)
