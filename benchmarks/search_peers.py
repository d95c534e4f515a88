"""The searches that `search.py` compares on a CPU.

Each is built over a bank of unit vectors and then asked for the `k` nearest of some queries, which
are of length one, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from search_data import Bank, Floats
from sklearn.neighbors import NearestNeighbors

from ufd_ray.detectors import NeighborSearch

Rows = NDArray[np.int64]


class Method(Protocol):
    """One that is measured.

    Attributes:
        notes: what to say of the last search beside its time.
    """

    notes: dict[str, Any]

    def prepare(self, queries: Floats) -> None:
        """Make ready, off the clock, for so many queries."""

    def search(self, queries: Floats, k: int) -> Rows | None:
        """(q, k) rows of the bank, nearest first; None where it finds none."""


Build = Callable[[Bank], Method]


class Search:
    """A method that needs no making ready."""

    def __init__(self) -> None:
        self.notes: dict[str, Any] = {}

    def prepare(self, queries: Floats) -> None: ...


class Ours(Search):
    """Also tells the nearest of each class, which the others are not asked for."""

    def __init__(self, bank: Bank, device: str = "cpu") -> None:
        super().__init__()
        self._search = NeighborSearch(bank.vectors, bank.labels, bank.image_ids, device=device)

    def search(self, queries: Floats, k: int) -> Rows:
        found = self._search.search(queries, k)
        self.notes = asdict(found.counts)
        return found.index


class Faiss(Search):
    def __init__(self, bank: Bank) -> None:
        super().__init__()
        import faiss

        self._index = faiss.IndexFlatIP(bank.vectors.shape[1])
        self._index.add(bank.vectors)

    def search(self, queries: Floats, k: int) -> Rows:
        rows: Rows = self._index.search(queries, k)[1]
        return rows


class ScikitLearn(Search):
    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self._model = NearestNeighbors(metric="cosine", algorithm="brute").fit(bank.vectors)

    def search(self, queries: Floats, k: int) -> Rows:
        rows: Rows = self._model.kneighbors(queries, k, return_distance=False)
        return rows


def nearest_by_float64(bank: Bank, queries: Floats, k: int) -> Rows:
    """What is right: brute force, equals ordered by label, then image_id."""
    units = _double(queries)
    similarity = np.empty((len(queries), len(bank.vectors)))
    for start in range(0, len(bank.vectors), 20_000):
        part = slice(start, start + 20_000)
        similarity[:, part] = units @ _double(bank.vectors[part]).T
    rank = np.empty(len(bank.labels), np.int64)
    rank[np.lexsort((bank.image_ids, bank.labels))] = np.arange(len(rank))
    found = []
    for row in similarity:
        near = np.flatnonzero(row >= np.partition(row, -k)[-k])
        found.append(near[np.lexsort((rank[near], -row[near]))][:k])
    return np.array(found)


def _double(rows: Floats) -> NDArray[np.float64]:
    doubled = rows.astype(np.float64)
    units: NDArray[np.float64] = doubled / np.linalg.norm(doubled, axis=1, keepdims=True)
    return units
