"""A part of a bank that answers for its rows: a plain class, which Ray makes an actor of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors import Embeddings, Neighbors, NeighborSearch, merge_neighbors, searchable
from ufd_ray.pipeline.search_device import gpu_errors, require_search_device
from ufd_ray.pipeline.searching.bank_rows import BankRows
from ufd_ray.settings import Device


class SearchShard:
    """Some rows of a bank. They are read when they are first needed, from its files.

    Args:
        bank: all rows, and how they are read.
        rows: numbers of those that are this part's, at least one.
        num_held: how many of them stay in memory, the first ones.
        at_once: of the others, how many are in memory at a time: they are read again for every
            search. Beside them lies the one file that is being read.
        rank: (N,) int64, place of all rows of the bank among equals.
        device: on which it computes.
    """

    def __init__(
        self,
        bank: BankRows,
        rows: range,
        num_held: int,
        at_once: int,
        rank: NDArray[np.int64],
        device: Device = "cpu",
    ) -> None:
        self._bank = bank
        self._held, self._others = rows[:num_held], rows[num_held:]
        self._at_once = at_once
        self._rank = rank
        self._device = device
        self._search: NeighborSearch | None = None

    def load(self) -> None:
        """Read what stays in memory, if that has not been done.

        Raises:
            StorageError: it cannot be read or searched.
            ClusterError: the device cannot be used.
        """
        require_search_device(self._device)
        if self._search is None and self._held:
            self._search = self._bank.search_in(self._held, self._device)

    def search(
        self,
        queries: Embeddings,
        k: int,
        leave_out: NDArray[np.int64] | None = None,
        per_class: int = 1,
    ) -> Neighbors:
        """Find the k nearest among these rows, or all of them where there are fewer.

        Args:
            queries: (q, d) float32 or float16.
            k: how many neighbours.
            leave_out: (q,) int64, number of the row that each query may not find; -1: none. Where
                a query has fewer neighbours than others for it, it gets that row, at -inf.
            per_class: to how many of each class the similarity is wanted, at least 1.

        Returns:
            The neighbours, by the numbers that rows have in the whole bank.

        Raises:
            ValueError: a query is zero or not finite, or the shape does not fit.
            StorageError: rows cannot be read or searched.
            ClusterError: the device cannot be used, or has too little memory.
        """
        self.load()
        with gpu_errors():
            return self._search_all(queries, k, leave_out, per_class)

    def _search_all(
        self,
        queries: Embeddings,
        k: int,
        leave_out: NDArray[np.int64] | None,
        per_class: int,
    ) -> Neighbors:
        found: list[Neighbors] = []
        asked = (queries, k, leave_out, per_class)
        if self._search is not None:
            found = [_search_piece(self._search, self._held.start, *asked)]
        for first, table in self._bank.read(self._others):
            for start in range(0, len(table), self._at_once):
                piece = _search_in(table.slice(start, self._at_once), self._device)
                part = _search_piece(piece, first + start, *asked)
                found = [self._join([*found, part], k)]
                del piece  # before the next one is made
            del table
        return found[0]

    def _join(self, parts: list[Neighbors], k: int) -> Neighbors:
        num_found = sum(part.index.shape[1] for part in parts)
        return merge_neighbors(parts, self._rank, min(k, num_found))


def _search_in(table: Any, device: Device) -> NeighborSearch:
    rows = searchable(table)
    return NeighborSearch(rows.embeddings, rows.labels, rows.image_ids, device=device)


def _search_piece(
    search: NeighborSearch,
    first: int,
    queries: Embeddings,
    k: int,
    leave_out: NDArray[np.int64] | None,
    per_class: int,
) -> Neighbors:
    """`SearchShard.search` in the rows from number `first` on."""
    num_rows = search.num_rows
    inside = np.zeros(len(queries), bool)
    if leave_out is not None:
        inside = (leave_out >= first) & (leave_out < first + num_rows)
    if leave_out is None or not inside.any():
        found = search.search(queries, min(k, num_rows), per_class=per_class)
    else:
        own = np.where(inside, leave_out - first, -1)
        if k < num_rows:
            found = search.search(queries, k, leave_out=own, per_class=per_class)
        else:
            found = _all_but_own(search, queries, own, inside, per_class)
    return replace(found, index=found.index + first)


def _all_but_own(
    search: NeighborSearch,
    queries: Embeddings,
    own: NDArray[np.int64],
    inside: NDArray[np.bool_],
    per_class: int,
) -> Neighbors:
    """All rows for every query, those `inside` with their own one last, at -inf."""
    num = search.num_rows
    without = search.search(queries[inside], num - 1, leave_out=own[inside], per_class=per_class)
    whole = search.search(queries[~inside], num, per_class=per_class)
    found = Neighbors(
        index=np.repeat(own[:, None], num, axis=1),
        similarity=np.full((len(queries), num), -np.inf),
        class_similarity=np.empty((2, len(queries), per_class)),
        counts=whole.counts + without.counts,
    )
    for which, some in ((inside, without), (~inside, whole)):
        num_found = some.index.shape[1]
        found.index[which, :num_found] = some.index
        found.similarity[which, :num_found] = some.similarity
        found.class_similarity[:, which] = some.class_similarity
    return found
