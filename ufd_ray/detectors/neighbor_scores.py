"""How fake an image is by its neighbours: their vote, and the margin between the classes.

Source: the paper's sections 4 and 6, as in `neighbors`; the margins are what average precisions
rank by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.neighbors import Neighbors
from ufd_ray.schema import FAKE, REAL


def vote(neighbors: Neighbors, labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """The share of fakes among the k nearest.

    Args:
        neighbors: of q queries.
        labels: (n,) of the bank's rows, 0 real, 1 fake.

    Returns:
        (q,) float32, 0 … 1. The verdict is fake where it is over one half.
    """
    fake = np.asarray(labels)[neighbors.index] == FAKE
    share: NDArray[np.float32] = fake.mean(axis=1, dtype=np.float64).astype(np.float32)
    return share


def margin(neighbors: Neighbors) -> NDArray[np.float32]:
    """Distance to the nearest real minus distance to the nearest fake image.

    Positive means fake; equal distances give 0 and count as real, as in the paper's strict
    inequality. With k = 1 the vote is 1 exactly where the margin is positive.

    Returns:
        (q,) float32, cosine distance; NaN where the bank lacks a class.
    """
    # Not by way of 1 − similarity, whose rounding could make a small difference vanish.
    return (neighbors.fake_similarity - neighbors.real_similarity).astype(np.float32)


def mean_margin(neighbors: Neighbors, k: int) -> NDArray[np.float32]:
    """Mean distance to the k nearest real images minus mean distance to the k nearest fakes.

    That is the mean of the k margins between the i-th nearest of both. Of a class that has fewer,
    the mean is over all of it. With k = 1 it is the margin, to the bit.

    Args:
        neighbors: of q queries, with similarities to at least k of each class.
        k: how many of each class, at least 1.

    Returns:
        (q,) float32, cosine distance; NaN where the bank lacks a class.

    Raises:
        ValueError: k is out of range.
    """
    most = neighbors.class_similarity.shape[2]
    if not 1 <= k <= most:
        raise ValueError(f"k must be from 1 to the {most} of each class, but is {k}")
    nearest_k = neighbors.class_similarity[:, :, :k]
    there = ~np.isnan(nearest_k)
    # One by one from the nearest on: other sums depend on how the numbers lie in memory.
    sums = np.where(there, nearest_k, 0.0).cumsum(axis=2)[:, :, -1]
    counts = there.sum(axis=2)
    means = sums / np.where(counts, counts, np.nan)
    difference: NDArray[np.float32] = (means[FAKE] - means[REAL]).astype(np.float32)
    return difference
