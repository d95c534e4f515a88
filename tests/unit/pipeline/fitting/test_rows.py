"""How a bank's rows are dealt out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ufd_ray.errors import StorageError
from ufd_ray.pipeline.fitting.rows import TRAIN, TRAIN_VIEWS, VAL, VAL_VIEWS, join_rows, read_rows
from ufd_ray.schema import bank_row
from ufd_ray.storage import BankInfo, StorageOptions, embedding_column, write_table

DIM = 3
SHARDS = (7, 4, 9)
PARTS = (TRAIN, TRAIN_VIEWS, VAL, VAL_VIEWS)
HERE = StorageOptions()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> BankInfo:
    """Three shards; row r has the embedding (r, r, r), and split and view by its number."""
    folder = tmp_path_factory.mktemp("bank")
    shards, start = [], 0
    for number, size in enumerate(SHARDS):
        rows = np.arange(start, start + size)
        columns: dict[str, Any] = {
            "image_id": [f"{row // 2:032x}" for row in rows],
            "uri": [f"/{row}.png" for row in rows],
            "member": pa.nulls(size, pa.string()),
            "label": rows % 2,
            "source": [None if row % 3 else f"s{row % 4}" for row in rows],
            "split": ["val" if row % 5 == 0 else "train" for row in rows],
            "view": rows % 3 % 2,
            "embedding": embedding_column(np.repeat(rows[:, None], DIM, axis=1).astype("f2")),
        }
        table = pa.table(columns).cast(bank_row(DIM, "float16"))
        shard = write_table(str(folder), f"shards/part-{number:05d}.parquet", table, HERE)
        shards.append(shard.to_dict())
        start += size
    return BankInfo(str(folder), {}, DIM, "float16", {}, shards, 0)


def expected(part: tuple[str, bool]) -> list[int]:
    split, augmented = part
    return [
        row
        for row in range(sum(SHARDS))
        if (row % 5 == 0) == (split == "val") and (row % 3 % 2 == 1) == augmented
    ]


@pytest.mark.parametrize("world_size", [1, 2, 3, 25])
@pytest.mark.parametrize("by_turns", [False, True])
def test_every_row_is_dealt_once(bank: BankInfo, world_size: int, by_turns: bool) -> None:
    dealt = [
        read_rows(bank, HERE, PARTS, rank, world_size, by_turns=by_turns)
        for rank in range(world_size)
    ]
    for part in PARTS:
        rows = join_rows([mine[part] for mine in dealt])
        assert rows.numbers.tolist() == expected(part)
        assert rows.embeddings.dtype == np.float16
        assert rows.embeddings[:, 0].tolist() == expected(part)
        assert rows.labels.tolist() == [row % 2 for row in expected(part)]
        assert rows.image_ids.tolist() == [f"{row // 2:032x}" for row in expected(part)]
        assert rows.sources.tolist() == [
            None if row % 3 else f"s{row % 4}" for row in expected(part)
        ]


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_by_turns_each_part_is_dealt_row_by_row(bank: BankInfo, rank: int) -> None:
    dealt = read_rows(bank, HERE, PARTS, rank, 3, by_turns=True)
    for part in PARTS:
        assert dealt[part].numbers.tolist() == expected(part)[rank::3]


def test_a_worker_reads_only_shards_in_which_its_range_lies(bank: BankInfo, tmp_path: Path) -> None:
    lost = [*bank.shards[:2], bank.shards[2] | {"name": "shards/gone.parquet"}]
    damaged = BankInfo(bank.uri, {}, DIM, "float16", {}, lost, 0)
    first = read_rows(damaged, HERE, PARTS, 0, 2)
    assert join_rows(list(first.values())).numbers.tolist() == list(range(10))
    with pytest.raises(StorageError, match=r"shard shards/gone\.parquet is missing"):
        read_rows(damaged, HERE, PARTS, 1, 2)


def test_no_more_than_one_part_is_read_when_one_is_asked_for(bank: BankInfo) -> None:
    assert list(read_rows(bank, HERE, [VAL])) == [VAL]
