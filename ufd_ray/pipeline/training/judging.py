"""A trained network on the validation images, as test images are seen: for its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from torch import nn

from ufd_ray.baselines import Baseline
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.fitting.collective import agreed, in_order
from ufd_ray.pipeline.training.course import places_of
from ufd_ray.pipeline.training.lookups import Lookup
from ufd_ray.pipeline.training.order import share_of
from ufd_ray.pipeline.training.pictures import TEST, VAL
from ufd_ray.pipeline.training.stream import Reading, Stream

_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Judged:
    """Labelled images, as a network sees them that was not trained on them.

    Attributes:
        labels: (n,) int8, 0 real, 1 fake.
        scores: (n,) float32, P(generated).
        num_failed: further ones that could not be read this time.
    """

    labels: NDArray[np.int8]
    scores: NDArray[np.float32]
    num_failed: int = 0

    @property
    def num_images(self) -> int:
        """All that were wanted."""
        return len(self.labels) + self.num_failed


@torch.inference_mode()
def scores_of(
    baseline: Baseline, network: nn.Module, pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """P(generated) of pictures, in float32 throughout.

    Args:
        baseline: whose network it is.
        network: in eval mode, on any device.
        pixels: uint8 (n, size, size, 3).

    Returns:
        (n,) float32.
    """
    device = next(network.parameters()).device
    found = [np.empty(0, np.float32)]
    for start in range(0, len(pixels), _AT_ONCE):
        few = torch.from_numpy(pixels[start : start + _AT_ONCE].copy()).to(device)
        found.append(baseline.scores(network(baseline.inputs(few))).cpu().numpy())
    return np.concatenate(found)


class Judging:
    """Judges the validation images. Made and called by every worker alike.

    Args:
        baseline: whose network it is.
        network: trained.
        images: reference to the `pa.Table` of `Surveyed`.
        reading: how pictures are read.
    """

    def __init__(
        self, baseline: Baseline, network: nn.Module, images: Any, reading: Reading
    ) -> None:
        self._baseline, self._network = baseline, network
        self._images, self._reading = images, reading

    def judge(self, rank: int, world_size: int) -> Judged:
        """What the network says of them.

        Raises:
            UfdError: pictures cannot be read, or it says nothing finite; on all workers alike.
        """
        self._network.eval()
        wanted = places_of(ray.get(self._images), VAL)
        found, said, own = agreed(lambda: self._mine(share_of(wanted, rank, world_size)))
        labels, scores = in_order(own, found), in_order(own, said)
        if not np.isfinite(scores).all():
            raise UfdError("the trained network gives scores that are not finite numbers")
        num_failed = len(wanted) - len(labels)
        return Judged(labels.astype(np.int8), scores.astype(np.float32), num_failed)

    def _mine(
        self, places: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        stream = Stream(self._images, [Lookup(places, TEST)], self._reading)
        found = [stream.none()]
        scores = [np.empty(0, np.float32)]
        for start in range(0, len(places), _AT_ONCE):
            found.append(stream.take(min(_AT_ONCE, len(places) - start)))
            scores.append(scores_of(self._baseline, self._network, found[-1].pixels))
        return (
            np.concatenate([one.labels for one in found]),
            np.concatenate(scores),
            np.concatenate([one.places for one in found]),
        )
