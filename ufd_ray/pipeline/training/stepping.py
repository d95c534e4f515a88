"""One epoch of training: a step a batch, then validation; the same on any number of workers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ufd_ray.baselines import Baseline
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.data_parallel.collective import gather, sum_over_workers
from ufd_ray.pipeline.training.course import Course
from ufd_ray.pipeline.training.stream import Pictures, Stream
from ufd_ray.pipeline.training.sums import Sums
from ufd_ray.schema import FAKE

AT_ONCE = 64
"""Pictures that a network is given at a time, at most: this bounds the memory that a worker's share
of a batch takes. Where a network normalises by batches, these are its batches."""


class Stepping:
    """Trains a network over epochs.

    Args:
        baseline: whose.
        network: where it is computed.
        optimizer: of its parameters.
        course: the pictures.
        in_bf16: products are made in bfloat16; weights and sums stay float32.
    """

    def __init__(
        self,
        baseline: Baseline,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        course: Course,
        *,
        in_bf16: bool,
    ) -> None:
        self._baseline, self._network, self._optimizer = baseline, network, optimizer
        self._course, self._in_bf16 = course, in_bf16
        self._sums = Sums(network)
        self._device = next(network.parameters()).device

    def epoch(self, epoch: int, tell: Callable[[int, int, float], None]) -> dict[str, float]:
        """Train for an epoch, and validate.

        Args:
            epoch: from 1 on.
            tell: is given batches done, batches in all, mean loss so far.

        Returns:
            Entry of the training curve: `epoch`, `train_loss` (mean, as it went),
            `validation_loss`, `validation_accuracy` (at 0.5), `num_images` (wanted, to train and
            to validate), `num_failed` (of those, that could not be read).

        Raises:
            UfdError: pictures cannot be read on some worker, none of those that train or of those
                that validate can, or the loss is not finite; on all workers alike.
        """
        batches, stream = self._course.batches(epoch), self._course.stream(epoch)
        loss, num_images, num_failed = 0.0, 0, 0
        self._network.train()
        for number, batch in enumerate(batches, 1):
            pictures, error = _take(stream, len(batch))
            self._sums.clear()
            for outputs, labels in self._outputs(pictures):
                self._sums.add(self._baseline.losses(outputs, labels))
            total = self._sums.reduce(pictures.num_failed, error is not None)
            _raise_any(total.num_broken, error)
            if not math.isfinite(total.loss):
                raise UfdError(
                    f"the loss is not a finite number in epoch {epoch}, batch {number}: smaller"
                    " steps may help (--learning-rate)"
                )
            if total.num_images:
                self._optimizer.step()
            loss, num_images = loss + total.loss, num_images + total.num_images
            num_failed += total.num_failed
            tell(number, len(batches), loss / max(1, num_images))
        if not num_images:
            raise UfdError(f"none of the images that train could be read in epoch {epoch}")
        validated = self._validate(stream, epoch)
        return {
            "epoch": epoch,
            "train_loss": loss / num_images,
            **validated,
            "num_images": num_images + num_failed + validated["num_images"],
            "num_failed": num_failed + validated["num_failed"],
        }

    def _outputs(self, pictures: Pictures) -> Iterator[tuple[Tensor, Tensor]]:
        """Outputs and labels of a few at a time."""
        kind = self._device.type
        for start in range(0, len(pictures), AT_ONCE):
            few = slice(start, start + AT_ONCE)
            pixels = torch.from_numpy(pictures.pixels[few].copy()).to(self._device)
            labels = torch.from_numpy(pictures.labels[few].copy()).to(self._device)
            with torch.no_grad():
                inputs = self._baseline.inputs(pixels)
            with torch.autocast(kind, torch.bfloat16, enabled=self._in_bf16):
                outputs: Any = self._network(inputs)
            yield outputs, labels

    @torch.no_grad()
    def _validate(self, stream: Stream, epoch: int) -> dict[str, float]:
        self._network.eval()
        # Of what batches were normalised by, each worker has seen its own share.
        for buffer in self._network.buffers():
            torch.distributed.broadcast(buffer, 0)
        loss, num_right, num_images, num_failed = 0.0, 0, 0, 0
        missing = self._course.num_validating
        error: UfdError | None = None
        while missing and error is None:
            pictures, error = _take(stream, min(missing, AT_ONCE))
            missing = max(0, missing - AT_ONCE)
            for outputs, labels in self._outputs(pictures):
                losses = self._baseline.losses(outputs, labels)
                called_fake = self._baseline.scores(outputs) > 0.5
                loss += float(losses.double().sum())
                num_right += int((called_fake == (labels == FAKE)).sum())
            num_images += len(pictures)
            num_failed += pictures.num_failed
        mine = np.array([loss, num_right, num_images, num_failed, error is not None])
        of_all, *counts = sum_over_workers(mine).tolist()
        num_right, num_images, num_failed, num_broken = map(round, counts)
        _raise_any(num_broken, error)
        if not num_images:
            raise UfdError(f"none of the images that validate could be read in epoch {epoch}")
        return {
            "validation_loss": of_all / num_images,
            "validation_accuracy": num_right / num_images,
            "num_images": num_images + num_failed,
            "num_failed": num_failed,
        }


def _take(stream: Stream, num: int) -> tuple[Pictures, UfdError | None]:
    try:
        return stream.take(num), None
    except UfdError as error:
        return stream.none(), error


def _raise_any(num_broken: int, mine: UfdError | None) -> None:
    """Raise the error of the first worker that has one, on all of them: none waits for it."""
    if num_broken:
        raise next(one for one in gather(mine) if one is not None)
