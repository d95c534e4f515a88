"""A bank's rows in memory, dealt out to the workers that fit a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.storage import BankInfo, StorageOptions, embedding_matrix, read_shards

Part = tuple[str, bool]
"""Rows of a bank that serve one purpose: their split, and whether they are augmented views."""

TRAIN: Part = ("train", False)
TRAIN_VIEWS: Part = ("train", True)
VAL: Part = ("val", False)
VAL_VIEWS: Part = ("val", True)

_LIGHT = ("image_id", "label", "source", "split", "view")


@dataclass(frozen=True, eq=False)
class Rows:
    """Labelled embeddings, and whose they are.

    Attributes:
        embeddings: (n, dim) as stored.
        labels: (n,) int8, 0 real, 1 fake.
        numbers: (n,) int64, place of each row in the whole bank, rising.
        image_ids: (n,) strings, as objects.
        sources: (n,) strings or None, as objects.
    """

    embeddings: npt.NDArray[Any]
    labels: npt.NDArray[np.int8]
    numbers: npt.NDArray[np.int64]
    image_ids: npt.NDArray[np.object_]
    sources: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.labels)

    def without_embeddings(self) -> Rows:
        """The same rows, light enough to be handed about."""
        return replace(self, embeddings=self.embeddings[:, :0])


def join_rows(parts: Sequence[Rows]) -> Rows:
    """All rows of several workers, in the bank's order."""
    joined = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Rows)
    }
    order = np.argsort(joined["numbers"], kind="stable")
    return Rows(**{name: values[order] for name, values in joined.items()})


def read_rows(
    bank: BankInfo,
    storage: StorageOptions,
    parts: Sequence[Part],
    rank: int = 0,
    world_size: int = 1,
    *,
    by_turns: bool = False,
) -> dict[Part, Rows]:
    """One worker's share of some parts of the bank.

    Args:
        bank: what `bank.json` says.
        storage: how it is reached.
        parts: which are wanted.
        rank: this worker's number, 0 … world_size - 1.
        world_size: number of workers.
        by_turns: of each part's rows in the bank's order, numbers `rank`, `rank + world_size`, …,
            for which every shard has to be read; else a range of the bank's rows, for which only
            the shards in which it lies are.

    Raises:
        StorageError: a shard is gone or damaged.
    """
    sizes = [int(shard["num_rows"]) for shard in bank.shards]
    total, starts = sum(sizes), np.cumsum([0, *sizes])
    mine = range(total) if by_turns else _share(total, rank, world_size)
    touched = [
        number
        for number in range(len(sizes))
        if starts[number] < mine.stop and mine.start < starts[number + 1]
    ]
    growing = {part: _Growing(bank, len(mine)) for part in parts}
    passed = dict.fromkeys(parts, 0)
    near = replace(bank, shards=[bank.shards[number] for number in touched])
    tables = read_shards(near, storage, [*_LIGHT, "embedding"])
    for number, table in zip(touched, tables, strict=True):
        places = np.arange(starts[number], starts[number] + len(table))
        inside = (places >= mine.start) & (places < mine.stop)
        matrix, light = embedding_matrix(table["embedding"]), table.drop_columns("embedding")
        split, view = np.asarray(table["split"]), np.asarray(table["view"])
        for part in parts:
            rows = np.flatnonzero(inside & (split == part[0]) & ((view > 0) == part[1]))
            if by_turns:
                turns = passed[part] + np.arange(len(rows))
                passed[part] += len(rows)
                rows = rows[turns % world_size == rank]
            growing[part].add(light, matrix, rows, places)
    return {part: grown.rows() for part, grown in growing.items()}


def _share(total: int, rank: int, world_size: int) -> range:
    return range(total * rank // world_size, total * (rank + 1) // world_size)


class _Growing:
    """Rows that come a shard at a time.

    Their place is set aside at once, so that they are never in memory twice; what of it is not
    written to costs none.
    """

    def __init__(self, bank: BankInfo, at_most: int) -> None:
        self._embeddings = np.empty((at_most, bank.dim), bank.dtype)
        self._light: list[tuple[Any, npt.NDArray[np.int64]]] = []
        self._length = 0

    def add(
        self,
        light: Any,
        embeddings: npt.NDArray[Any],
        rows: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
    ) -> None:
        """Take some rows of a shard."""
        end = self._length + len(rows)
        # `clip`, since the other modes write to a copy of the place first.
        place = self._embeddings[self._length : end]
        np.take(embeddings, rows, axis=0, out=place, mode="clip")
        self._length = end
        self._light.append((light.take(pa.array(rows)), numbers[rows]))

    def rows(self) -> Rows:
        def column(name: str, dtype: Any) -> Any:
            found = [np.asarray(table[name].to_pylist(), dtype) for table, _ in self._light]
            return np.concatenate([np.empty(0, dtype), *found])

        return Rows(
            embeddings=self._embeddings[: self._length],
            labels=column("label", np.int8),
            numbers=np.concatenate([np.empty(0, np.int64), *(n for _, n in self._light)]),
            image_ids=column("image_id", object),
            sources=column("source", object),
        )
