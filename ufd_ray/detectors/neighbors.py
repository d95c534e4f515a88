"""The nearest-neighbour detector: an image is as fake as the images of the bank it lies closest to.

Source: the paper's section 4, "Nearest neighbor": pred(x) = 1 where the smallest cosine distance
to a fake image of the bank is strictly smaller than that to a real one, else 0. With k > 1 the
majority of the k nearest of the joint bank decides (section 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ufd_ray.detectors.exact_search import UnitRows, concatenate, nearest
from ufd_ray.errors import StorageError
from ufd_ray.schema import FAKE, REAL

TILE_QUERIES = 1024
"""Queries searched at a time: with the rows of a tile they bound what a search holds in memory."""

Embeddings = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Neighbors:
    """What a bank holds around each of q queries.

    Attributes:
        index: (q, k) int64, rows of the bank, nearest first: similarity falling, then real before
            fake, then image_id rising.
        similarity: (q, k) float64, their cosine similarity.
        real_similarity: (q,) float64, to the nearest real image; NaN if the bank has none.
        fake_similarity: (q,) float64, to the nearest fake image; NaN if the bank has none.
    """

    index: NDArray[np.int64]
    similarity: NDArray[np.float64]
    real_similarity: NDArray[np.float64]
    fake_similarity: NDArray[np.float64]


class NeighborSearch:
    """Exact search in one bank, or one shard of a bank.

    Args:
        embeddings: (n, d) float32 or float16. Read-only arrays are welcome, and C-contiguous ones
            are not copied.
        labels: (n,) integers, 0 real, 1 fake.
        image_ids: (n,) str. They order rows that are equally similar and name unusable ones.
        device: where the matrix products run, as torch names it. The answer is the same on all.

    Raises:
        ValueError: shapes or dtypes do not fit.
        StorageError: an embedding is zero or not finite, or a label is neither 0 nor 1: the bank
            is unusable. The first such image is named.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        labels: NDArray[np.integer],
        image_ids: NDArray[np.str_] | Sequence[str],
        *,
        device: str = "cpu",
    ) -> None:
        _check_matrix(embeddings, "embeddings")
        labels, names = np.asarray(labels), np.asarray(image_ids, dtype=np.str_)
        if labels.shape != (len(embeddings),) or names.shape != labels.shape:
            raise ValueError(
                f"embeddings {embeddings.shape}, labels {labels.shape} and image_ids "
                f"{names.shape} must have as many rows"
            )
        self._device = torch.device(device)
        self._bank = UnitRows(embeddings)
        norms = self._bank.norms
        _refuse_bank(~np.isfinite(norms), names, "an embedding with NaN or infinity")
        _refuse_bank(norms == 0, names, "an embedding of zeros, which has no direction")
        _refuse_bank((labels != REAL) & (labels != FAKE), names, "a label that is not 0 or 1")
        # Place of every row in the order by label, then image_id: what decides between equals.
        self._rank: NDArray[np.int64] = np.empty(len(names), np.int64)
        self._rank[np.lexsort((names, labels))] = np.arange(len(names))
        self._classes = (np.flatnonzero(labels == REAL), np.flatnonzero(labels == FAKE))

    def search(self, queries: Embeddings, k: int) -> Neighbors:
        """Find the k nearest of the joint bank, and the nearest of each class.

        Args:
            queries: (q, d) float32 or float16; q may be 0.
            k: how many neighbours, 1 … n.

        Returns:
            The neighbours; for a given query the same bits whatever the other queries are.

        Raises:
            ValueError: k is out of range, the shape or dtype does not fit, or a query is zero or
                not finite (its row is named).
        """
        _check_matrix(queries, "queries")
        num_rows, dim = self._bank.vectors.shape
        if queries.shape[1] != dim:
            raise ValueError(f"queries have {queries.shape[1]} columns, the bank has {dim}")
        if not 1 <= k <= num_rows:
            raise ValueError(f"k must be from 1 to the bank's {num_rows} rows, but is {k}")
        units = UnitRows(queries)
        unusable = np.flatnonzero(~np.isfinite(units.norms) | (units.norms == 0))
        if len(unusable):
            raise ValueError(f"query in row {unusable[0]} is zero or not finite")
        found = Neighbors(
            index=np.empty((len(queries), k), np.int64),
            similarity=np.empty((len(queries), k)),
            real_similarity=np.full(len(queries), np.nan),
            fake_similarity=np.full(len(queries), np.nan),
        )
        for start in range(0, len(queries), TILE_QUERIES):
            part = slice(start, start + TILE_QUERIES)
            self._search_tile(units.double(part), k, found, part)
        return found

    def _search_tile(
        self, queries: NDArray[np.float64], k: int, found: Neighbors, part: slice
    ) -> None:
        """Fill in the neighbours of some queries: each class on its own, then both merged."""
        lists = []
        closest = (found.real_similarity, found.fake_similarity)
        for rows, similarity in zip(self._classes, closest, strict=True):
            if len(rows):
                width = min(k, len(rows))
                pairs = nearest(self._bank, rows, queries, width, self._rank, self._device)
                similarity[part] = pairs.similarity[::width]
                lists.append(pairs)
        joint = concatenate(lists).best(k, self._rank)
        found.index[part] = joint.row.reshape(-1, k)
        found.similarity[part] = joint.similarity.reshape(-1, k)


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


def _check_matrix(vectors: Embeddings, name: str) -> None:
    if vectors.ndim != 2 or vectors.dtype not in (np.float32, np.float16):
        raise ValueError(
            f"{name} must be a float32 or float16 matrix, but is {vectors.dtype} {vectors.shape}"
        )


def _refuse_bank(unusable: NDArray[np.bool_], names: NDArray[np.str_], what: str) -> None:
    if unusable.any():
        raise StorageError(
            f"the bank is unusable: image {names[unusable.argmax()]} has {what} "
            f"({np.count_nonzero(unusable)} of {len(names)} images have)"
        )
