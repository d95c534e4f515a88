"""In which order images are trained on, and whose each is: drawn from seed and epoch alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ufd_ray.schema import FAKE, REAL


def epoch_batches(
    labels: NDArray[np.integer], batch_size: int, *, seed: int, epoch: int, balanced: bool
) -> list[NDArray[np.int64]]:
    """The batches of an epoch, over all workers.

    Args:
        labels: (n,) integers, 0 real, 1 fake, of the images that train.
        batch_size: images of a batch; the last one may have fewer.
        seed: of the order, at least 0.
        epoch: from 1 on.
        balanced: half of each batch is real, and half fake: of the class that has more images, an
            epoch takes as many as the other one has, drawn anew. The real ones come first, so
            that `share_of` deals both classes out evenly.

    Returns:
        Of each batch, places among the n images.
    """
    random = np.random.default_rng([seed, epoch])
    if not balanced:
        order = random.permutation(len(labels))
        return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    by_class = [random.permutation(np.flatnonzero(labels == label)) for label in (REAL, FAKE)]
    num_pairs, half = min(map(len, by_class)), batch_size // 2
    return [
        np.concatenate([of_class[start : min(start + half, num_pairs)] for of_class in by_class])
        for start in range(0, num_pairs, half)
    ]


def share_of(rows: NDArray[np.int64], rank: int, world_size: int) -> NDArray[np.int64]:
    """What of a batch is one worker's: its places `rank`, `rank + world_size` and so on."""
    return rows[rank::world_size]
