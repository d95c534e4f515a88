"""Neighbours in nested parts of a bank: each row is searched once, however many parts hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.neighbors import (
    Embeddings,
    Neighbors,
    NeighborSearch,
    merge_neighbors,
    rank_of,
)


class NestedSearch:
    """The search in the first so many rows, for several such numbers.

    Args:
        embeddings: (n, d) float32 or float16.
        labels: (n,) integers, 0 real, 1 fake.
        image_ids: (n,) str.
        sizes: rising, over 0; the last is n.
        device: where the matrix products run, as torch names it.

    Raises:
        ValueError: sizes do not rise to n, or shapes do not fit.
        StorageError: as for `NeighborSearch`.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        labels: NDArray[np.integer],
        image_ids: NDArray[np.str_],
        sizes: Sequence[int],
        *,
        device: str = "cpu",
    ) -> None:
        cuts = [0, *sizes]
        if not sizes or any(low >= high for low, high in pairwise(cuts)):
            raise ValueError(f"sizes have to rise from over 0, but are {list(sizes)}")
        if cuts[-1] != len(embeddings):
            raise ValueError(f"the last size is {cuts[-1]}, and there are {len(embeddings)} rows")
        self._rank = rank_of(labels, image_ids)
        self._starts = cuts[:-1]
        self._shells = [
            NeighborSearch(embeddings[a:b], labels[a:b], image_ids[a:b], device=device)
            for a, b in pairwise(cuts)
        ]

    def search(self, queries: Embeddings, k: int, *, per_class: int = 1) -> list[Neighbors]:
        """For each size the k nearest of its rows, fewer where it has not as many.

        Args:
            queries: (q, d) float32 or float16; q may be 0.
            k: how many neighbours.
            per_class: as for `NeighborSearch.search`.

        Returns:
            For each size the bits of a search in its rows alone.

        Raises:
            ValueError: as for `NeighborSearch.search`.
        """
        found: list[Neighbors] = []
        nested = []
        for start, shell in zip(self._starts, self._shells, strict=True):
            near = shell.search(queries, min(k, shell.num_rows), per_class=per_class)
            found.append(replace(near, index=near.index + start))
            nested.append(merge_neighbors(found, self._rank, min(k, start + shell.num_rows)))
        return nested
