"""Parts of a bank, each read from its files, answer together as the whole bank does, to the bit."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.crawl.handmade import HERE
from tests.crawl.searched import make_searched_bank, queries
from ufd_ray.detectors import Neighbors, NeighborSearch, merge_neighbors
from ufd_ray.errors import StorageError
from ufd_ray.pipeline.searching import bank_rows, shard
from ufd_ray.pipeline.searching.bank_rows import (
    BankRows,
    join_evidence,
    read_evidence,
    read_whole,
)
from ufd_ray.pipeline.searching.copied import BankCopy
from ufd_ray.pipeline.searching.shard import SearchShard
from ufd_ray.settings import Device
from ufd_ray.storage import BankInfo, read_searchable


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost more than so few rows do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> BankInfo:
    return make_searched_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def rows(bank: BankInfo) -> BankRows:
    counts, _ = read_evidence(bank, range(len(bank.shards)), HERE)
    return BankRows(bank, HERE, tuple(counts))


@pytest.fixture(scope="module")
def rank(bank: BankInfo) -> npt.NDArray[np.int64]:
    return join_evidence(read_evidence(bank, range(len(bank.shards)), HERE)[1])[1]


def in_parts(
    rows: BankRows,
    rank: npt.NDArray[np.int64],
    num_shards: int,
    num_held: int,
    at_once: int,
    device: Device = "cpu",
) -> list[SearchShard]:
    cuts = [sum(rows.counts) * number // num_shards for number in range(num_shards + 1)]
    return [
        SearchShard(rows, range(first, last), num_held, at_once, rank, device)
        for first, last in pairwise(cuts)
    ]


def assert_same(found: Neighbors, expected: Neighbors) -> None:
    for name in ("index", "similarity", "class_similarity"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.tobytes() == theirs.tobytes(), name


PARTS = [
    (1, 99, 0),
    (3, 99, 0),
    (28, 99, 0),
    # Streamed: some rows held and others read again; none held, one at a time.
    (2, 5, 3),
    (1, 0, 1),
]


@pytest.mark.parametrize(("num_shards", "num_held", "at_once"), PARTS)
@pytest.mark.parametrize(("k", "per_class"), [(5, 5), (27, 1), (3, 20)])
def test_parts_find_what_the_whole_finds(
    bank: BankInfo,
    rows: BankRows,
    rank: npt.NDArray[np.int64],
    num_shards: int,
    num_held: int,
    at_once: int,
    k: int,
    per_class: int,
) -> None:
    whole, _ = read_whole(bank, HERE, "cpu")
    own = np.full(20, -1)
    own[[0, 3, 4, 19]] = [0, 13, 13, sum(rows.counts) - 1]
    shards = in_parts(rows, rank, num_shards, num_held, at_once)
    for leave_out in (None, own):
        parts = [shard.search(queries(), k, leave_out, per_class) for shard in shards]
        assert_same(
            merge_neighbors(parts, rank, k),
            whole.search(queries(), k, leave_out=leave_out, per_class=per_class),
        )


def test_neither_order_nor_company_matters(rows: BankRows, rank: npt.NDArray[np.int64]) -> None:
    shards = in_parts(rows, rank, 2, 5, 3)
    parts = [shard.search(queries(), 5) for shard in shards]
    turned = [shard.search(queries()[::-1], 5) for shard in reversed(shards)]
    found, again = merge_neighbors(parts, rank, 5), merge_neighbors(turned, rank, 5)
    assert found.index.tobytes() == again.index[::-1].tobytes()
    assert found.similarity.tobytes() == again.similarity[::-1].tobytes()


def test_the_evidence_stands_in_the_order_of_rows(bank: BankInfo) -> None:
    expected = read_searchable(bank, HERE).drop(["embedding"])
    cut, num_files = 2, len(bank.shards)
    tables = [read_evidence(bank, files, HERE)[1] for files in (range(cut), range(cut, num_files))]
    assert join_evidence(*tables)[0].equals(expected)
    assert read_whole(bank, HERE, "cpu")[1].equals(expected)


def test_only_the_files_that_hold_its_rows_are_read(
    bank: BankInfo, rows: BankRows, rank: npt.NDArray[np.int64]
) -> None:
    first, second = rows.counts[0], sum(rows.counts[:2])
    gone = [dict(file, name="shards/gone.parquet") for file in bank.shards]
    gone[1] = bank.shards[1]
    others_gone = replace(rows, bank=replace(bank, shards=gone))
    shard = SearchShard(others_gone, range(first, second), 99, 0, rank)
    assert set(shard.search(queries(), 3).index.flat) <= set(range(first, second))
    with pytest.raises(StorageError, match=r"shard shards/gone.parquet is missing"):
        SearchShard(others_gone, range(first, second + 1), 99, 0, rank).load()


@pytest.mark.parametrize("num_held", [99, 0])
def test_a_damaged_file_is_told_when_it_is_read(
    tmp_path: Path, rows: BankRows, rank: npt.NDArray[np.int64], num_held: int
) -> None:
    bank = make_searched_bank(tmp_path)
    file = tmp_path / bank.shards[0]["name"]
    file.write_bytes(file.read_bytes()[:-1])
    shard = SearchShard(replace(rows, bank=bank), range(0, 9), num_held, 3, rank)
    for _ in range(2):
        with pytest.raises(StorageError, match=r"shard shards/part-00000.parquet is damaged"):
            shard.search(queries(), 3)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_bank_that_counts_otherwise_than_its_files(bank: BankInfo, change: int) -> None:
    wrong = replace(bank, num_searchable=bank.num_searchable + change)
    with pytest.raises(StorageError, match=r"do not hold the .* images to search"):
        read_whole(wrong, HERE, "cpu")


@pytest.fixture
def without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which devices were to search; every search is done on CPUs."""
    asked: list[str] = []

    def make(*arguments: Any, device: str) -> NeighborSearch:
        asked.append(device)
        return NeighborSearch(*arguments)

    for module in (bank_rows, shard):
        monkeypatch.setattr(module, "NeighborSearch", make)
    monkeypatch.setattr(shard, "require_search_device", asked.append)
    return asked


@pytest.mark.parametrize("num_held", [99, 0])
def test_a_part_searches_where_it_was_told_to(
    rows: BankRows, rank: npt.NDArray[np.int64], num_held: int, without_a_gpu: list[str]
) -> None:
    SearchShard(rows, range(9), num_held, 3, rank, "cuda").search(queries(), 3)
    assert len(without_a_gpu) >= 2
    assert set(without_a_gpu) == {"cuda"}


def test_a_bank_for_a_gpu_is_read_where_there_is_none(bank: BankInfo) -> None:
    begun = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    search, evidence = read_whole(bank, HERE, "cuda")
    again = pickle.loads(pickle.dumps(search))  # on its way to the GPU
    assert again.num_rows == len(evidence)
    assert torch.cuda.is_initialized() == begun  # type: ignore[no-untyped-call]


@pytest.mark.gpu
@pytest.mark.parametrize(("num_shards", "num_held", "at_once"), [(1, 99, 0), (3, 4, 3)])
def test_a_gpu_finds_what_cpus_find(
    bank: BankInfo,
    rows: BankRows,
    rank: npt.NDArray[np.int64],
    num_shards: int,
    num_held: int,
    at_once: int,
) -> None:
    expected = read_whole(bank, HERE, "cpu")[0].search(queries(), 5)
    copy = BankCopy(lambda: read_whole(bank, HERE, "cuda")[0], "cuda")
    assert_same(copy.search(queries(), 5), expected)
    shards = in_parts(rows, rank, num_shards, num_held, at_once, "cuda")
    parts = [shard.search(queries(), 5) for shard in shards]
    assert_same(merge_neighbors(parts, rank, 5), expected)


def test_counts_are_of_queries_not_of_parts(rows: BankRows, rank: npt.NDArray[np.int64]) -> None:
    parts = [s.search(queries(), 3) for s in in_parts(rows, rank, 3, 2, 2)]
    assert asdict(merge_neighbors(parts, rank, 3).counts)["num_queries"] == 20
