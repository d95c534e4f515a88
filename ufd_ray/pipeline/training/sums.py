"""What the workers add up after each step: gradients and a few numbers, by one all-reduce."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

_FURTHER = 4


@dataclass(frozen=True)
class Totals:
    """What a step came to, over all workers.

    Attributes:
        loss: summed over its images.
        num_images: that it rests on.
        num_failed: that could not be read.
        num_broken: workers that could not take part.
    """

    loss: float
    num_images: int
    num_failed: int
    num_broken: int


class Sums:
    """Gradients of a network, which lie one behind the other in memory, and some numbers.

    `backward` adds to them. All workers make and call one alike.

    Args:
        network: its parameters' `grad` become part of this.
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = [one for one in network.parameters() if one.requires_grad]
        num = sum(one.numel() for one in parameters)
        self._all = torch.zeros(num + _FURTHER, device=parameters[0].device)
        first = 0
        for one in parameters:
            one.grad = self._all[first : first + one.numel()].view_as(one)
            first += one.numel()
        self._gradient, self._numbers = self._all[:num], self._all[num:]

    def clear(self) -> None:
        """Begin a step."""
        self._all.zero_()

    def add(self, losses: Tensor) -> None:
        """Add some images: float32 (m,), with their gradients."""
        losses.sum().backward()  # type: ignore[no-untyped-call]
        self._numbers[0] += losses.detach().sum()
        self._numbers[1] += len(losses)

    def reduce(self, num_failed: int, is_broken: bool) -> Totals:
        """Add up over all workers, and make the gradient that of the mean loss of all images.

        Args:
            num_failed: images of this worker that could not be read.
            is_broken: this worker could not take part.
        """
        self._numbers[2] += num_failed
        self._numbers[3] += is_broken
        torch.distributed.all_reduce(self._all)
        loss, *counts = self._numbers.tolist()
        num_images, failed, broken = map(round, counts)
        if num_images:
            self._gradient /= num_images
        return Totals(loss, num_images, failed, broken)
