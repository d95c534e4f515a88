"""The rows of a bank that are searched, by their numbers, one file of the bank at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ufd_ray.detectors import NeighborSearch, rank_of
from ufd_ray.errors import StorageError
from ufd_ray.settings import Device
from ufd_ray.storage import BankInfo, StorageOptions, embedding_matrix, read_searchable

EVIDENCE = ("image_id", "uri", "label", "source")
"""What is told of a neighbour."""
_SEARCHED = ("image_id", "label", "embedding")


@dataclass(frozen=True)
class BankRows:
    """The searchable rows of a bank, numbered through all of its files.

    Attributes:
        bank: what `bank.json` says.
        storage: how it is reached.
        counts: searchable rows of each file.
    """

    bank: BankInfo
    storage: StorageOptions
    counts: tuple[int, ...]

    def read(self, rows: range) -> Iterator[tuple[int, Any]]:
        """Read some rows; files that hold none of them are left alone.

        Yields:
            Of a file, the number of the first row that is wanted, and the wanted ones as
            `pa.Table`: `image_id`, `label`, `embedding`.

        Raises:
            StorageError: a file is gone or not the one that `bank.json` names.
        """
        ends = accumulate(self.counts)
        for file, count, end in zip(self.bank.shards, self.counts, ends, strict=True):
            first, last = max(rows.start, end - count), min(rows.stop, end)
            if first < last:
                # Under no name here, which would keep it while the next one is read.
                yield first, self._read(file).slice(first - (end - count), last - first)

    def _read(self, file: dict[str, Any]) -> Any:
        return read_searchable(replace(self.bank, shards=[file]), self.storage, _SEARCHED)

    def search_in(self, rows: range, device: Device) -> NeighborSearch:
        """Read some rows into memory, to be searched on a device, which need not be here.

        Raises:
            StorageError: as `read`; or a row cannot be searched.
        """
        return _fill(self.bank, len(rows), (table for _, table in self.read(rows)), device)


def read_whole(
    bank: BankInfo, storage: StorageOptions, device: Device
) -> tuple[NeighborSearch, Any]:
    """All rows that are searched, on a device that need not be here.

    Returns:
        The search, and the evidence: `pa.Table` of `EVIDENCE`, in the order of rows.

    Raises:
        StorageError: a file is gone, not the one that `bank.json` names, or cannot be searched.
    """
    evidence: list[Any] = []

    def tables() -> Iterator[Any]:
        for file in bank.shards:
            table = read_searchable(replace(bank, shards=[file]), storage)
            evidence.append(table.select(EVIDENCE))
            yield table

    search = _fill(bank, bank.num_searchable, tables(), device)
    return search, pa.concat_tables(evidence).combine_chunks()


def read_evidence(bank: BankInfo, numbers: range, storage: StorageOptions) -> tuple[list[int], Any]:
    """What some files tell of their searchable rows, read one after the other.

    Args:
        bank: what `bank.json` says.
        numbers: of its files.
        storage: how it is reached.

    Returns:
        How many such rows each file has, and a `pa.Table` of `EVIDENCE`.

    Raises:
        StorageError: a file is gone or not the one that `bank.json` names.
    """
    tables = [
        read_searchable(replace(bank, shards=[bank.shards[number]]), storage, EVIDENCE)
        for number in numbers
    ]
    return [len(table) for table in tables], pa.concat_tables(tables)


def join_evidence(*parts: Any) -> tuple[Any, NDArray[np.int64]]:
    """What all files tell as one table, and the place of each row among equals (`rank_of`)."""
    table = pa.concat_tables(parts).combine_chunks()
    labels = np.asarray(table["label"], np.int8)
    return table, rank_of(labels, np.asarray(table["image_id"].to_pylist(), np.str_))


def check_count(bank: BankInfo, num_rows: int) -> None:
    """See that the files hold as many searchable rows as `bank.json` says.

    Raises:
        StorageError: they do not.
    """
    if num_rows != bank.num_searchable:
        raise StorageError(
            f"bank {bank.uri}: its files hold {num_rows:,} images to search, and bank.json says"
            f" {bank.num_searchable:,}"
        )


def _fill(bank: BankInfo, num_rows: int, tables: Iterator[Any], device: Device) -> NeighborSearch:
    """One matrix, filled table by table, so that no second one of its size is ever there."""
    vectors, labels = np.empty((num_rows, bank.dim), bank.dtype), np.empty(num_rows, np.int8)
    names: list[str] = []
    for table in tables:
        place = slice(len(names), len(names) + len(table))
        names += table["image_id"].to_pylist()
        if len(names) > num_rows:
            break
        vectors[place] = embedding_matrix(table["embedding"])
        labels[place] = np.asarray(table["label"])
        del table  # before the next one is read
    if len(names) != num_rows:
        raise StorageError(
            f"bank {bank.uri}: its files do not hold the {num_rows:,} images to search that"
            " bank.json counts"
        )
    return NeighborSearch(vectors, labels, np.asarray(names, np.str_), device=device)
