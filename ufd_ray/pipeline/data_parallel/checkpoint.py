"""What training has come to, kept where any node finds it again. Nothing is unpickled."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import ray.train
import safetensors.numpy

from ufd_ray.detectors import AllReduce

_WORDS, _NUMBERS = "state.json", "state.safetensors"


@dataclass
class TrainState:
    """A fit, or the training of a network, on its way.

    Attributes:
        curve: entries of the training curve so far.
        resumed_at: how many entries there were each time that lost workers were replaced and
            work was taken up again from a checkpoint.
        words: what else there is, ready for JSON.
        arrays: what else there is, in numbers.
    """

    curve: list[dict[str, float]] = field(default_factory=list)
    resumed_at: list[int] = field(default_factory=list)
    words: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


class TrainCheckpoint:
    """Keeps a state. Made and called by every worker alike; the first one writes.

    Args:
        all_reduce: sum over the workers.
        every_s: seconds between two checkpoints, by the first worker's clock.
    """

    def __init__(self, all_reduce: AllReduce, every_s: float) -> None:
        self._all_reduce = all_reduce
        self._every_s = every_s
        self._is_first = ray.train.get_context().get_world_rank() == 0
        self._last = time.monotonic()

    def load(self) -> TrainState:
        """The state of the last checkpoint, a fresh one where there is none."""
        found = ray.train.get_checkpoint()
        if found is None:
            return TrainState()
        with found.as_directory() as folder:
            words = json.loads(Path(folder, _WORDS).read_text(encoding="utf-8"))
            state = TrainState(**words, arrays=safetensors.numpy.load_file(Path(folder, _NUMBERS)))
        state.resumed_at.append(len(state.curve))
        return state

    def offer(self, state: TrainState) -> None:
        """Keep the state if the last checkpoint is long enough ago."""
        if self.is_due():
            self.keep(state)

    def is_due(self) -> bool:
        """Whether the last checkpoint is long enough ago: the same on all workers."""
        due = self._is_first and time.monotonic() - self._last >= self._every_s
        return bool(self._all_reduce(np.array([float(due)]))[0])

    def keep(self, state: TrainState) -> None:
        """Keep the state."""
        if not self._is_first:
            ray.train.report({})  # all workers report, or Ray Train would wait for the others
            return
        words = {"curve": state.curve, "resumed_at": state.resumed_at, "words": state.words}
        with tempfile.TemporaryDirectory(prefix="ufd-ray-train-") as folder:
            Path(folder, _WORDS).write_text(json.dumps(words), encoding="utf-8")
            safetensors.numpy.save_file(
                {name: np.array(array, order="C") for name, array in state.arrays.items()},
                Path(folder, _NUMBERS),
            )
            ray.train.report({}, checkpoint=ray.train.Checkpoint.from_directory(folder))
        self._last = time.monotonic()
