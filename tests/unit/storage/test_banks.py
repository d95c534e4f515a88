from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.schema import bank_row
from ufd_ray.storage import (
    BankInfo,
    LeaveOneOut,
    StorageOptions,
    embedding_column,
    embedding_matrix,
    read_bank_info,
    read_searchable,
    read_shards,
    write_document,
    write_table,
)

OPTIONS = StorageOptions()
DIM = 3


def shard(first: int, splits: list[str], views: list[int], dtype: str = "float32") -> Any:
    num = len(splits)
    matrix = np.arange(first * DIM, (first + num) * DIM, dtype=dtype).reshape(num, DIM)
    columns = {
        "image_id": [f"id{first + n}" for n in range(num)],
        "uri": [f"/{first + n}" for n in range(num)],
        "member": [None] * num,
        "label": [n % 2 for n in range(num)],
        "source": ["web"] * num,
        "split": splits,
        "view": views,
        "embedding": embedding_column(matrix),
    }
    return pa.table(columns, schema=bank_row(DIM, dtype))


MANY = {"label": {"0": 9, "1": 9}, "split": {}, "view": {}}


def build(folder: Path, *shards: Any, **content: Any) -> BankInfo:
    files = [
        write_table(str(folder), f"shards/part-{n:05d}.parquet", table, OPTIONS).to_dict()
        for n, table in enumerate(shards)
    ]
    bank = {
        "encoder": {"arch": "lite0"},
        "dim": DIM,
        "dtype": "float32",
        "counts": {"label": {"0": 1, "1": 1}, "split": {"train": 2}, "view": {"0": 2}},
        "num_searchable": 4,
        "shards": files,
    } | content
    write_document(str(folder), "bank.json", bank, OPTIONS)
    return read_bank_info(str(folder), OPTIONS)


@pytest.fixture
def bank(tmp_path: Path) -> BankInfo:
    return build(
        tmp_path,
        shard(0, ["train", "val", "train", "train"], [0, 0, 1, 0]),
        shard(4, ["val"], [0]),
        shard(5, ["train", "train"], [0, 0]),
    )


def test_what_the_document_says(bank: BankInfo, tmp_path: Path) -> None:
    assert bank.uri == str(tmp_path)
    assert (bank.encoder, bank.dim, bank.dtype) == ({"arch": "lite0"}, DIM, "float32")
    assert [s["num_rows"] for s in bank.shards] == [4, 1, 2]


def test_how_few_of_a_class_are_searched(bank: BankInfo, tmp_path: Path) -> None:
    assert bank.fewest_searchable == 1  # all that `counts` says of its labels
    told = build(tmp_path, counts=MANY, searchable={"0": 3, "1": 2})
    assert (told.fewest_searchable, told.searchable) == (2, {"0": 3, "1": 2})
    assert build(tmp_path, counts=MANY, searchable={"0": 3}).fewest_searchable == 0
    assert build(tmp_path, counts=MANY).fewest_searchable == 4  # at most
    with pytest.raises(SettingsError, match="is damaged"):
        build(tmp_path, searchable={"0": "some"})


@pytest.mark.parametrize("key", ["encoder", "dim", "dtype", "counts", "shards", "num_searchable"])
def test_a_missing_key_is_named(bank: BankInfo, tmp_path: Path, key: str) -> None:
    content = json.loads((tmp_path / "bank.json").read_text())
    del content[key]
    (tmp_path / "bank.json").write_text(json.dumps(content))
    with pytest.raises(SettingsError, match=f"--bank {bank.uri}: bank.json lacks '{key}'"):
        read_bank_info(bank.uri, OPTIONS)


FOUND = LeaveOneOut(0.99, 0.25, 0.98, 50, False, {"0.5": 0.125, "1": 0.25})


def test_how_far_its_rows_lie_apart(tmp_path: Path) -> None:
    found = build(tmp_path, leave_one_out=FOUND.to_dict()).leave_one_out
    assert found == FOUND


def test_an_earlier_releases_bank_does_not_say(bank: BankInfo) -> None:
    assert bank.leave_one_out is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"distance": -0.5}, "distance is -0.5; expected 0–2"),
        ({"distance": math.nan}, "distance is nan"),
        ({"distance": None}, "distance is None"),
        ({"quantile": 1.5}, "quantile is 1.5; expected 0–1"),
        ({"quantiles": {"0.5": 3}}, "0.5 is 3; expected 0–2"),
        ({"quantiles": None}, "no table of distances"),
    ],
)
def test_what_is_no_distance_is_refused(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=rf"bank\.json is damaged .*{complaint}"):
        build(tmp_path, leave_one_out=FOUND.to_dict() | change)
    with pytest.raises(SettingsError, match=r"bank\.json lacks 'distance'"):
        build(tmp_path, leave_one_out={"quantile": 0.5, "quantiles": {}})


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="format version 2; this release reads 1"):
        build(tmp_path, format_version=2)


def test_shards_come_in_order_with_all_or_some_columns(bank: BankInfo) -> None:
    tables = list(read_shards(bank, OPTIONS))
    assert [len(table) for table in tables] == [4, 1, 2]
    assert tables[0].schema.equals(bank_row(DIM, "float32"))
    some = pa.concat_tables(read_shards(bank, OPTIONS, ["label", "embedding"]))
    assert some.column_names == ["label", "embedding"]
    expected = np.arange(7 * DIM, dtype=np.float32).reshape(7, DIM)
    assert np.array_equal(embedding_matrix(some["embedding"]), expected)


def test_a_damaged_shard_is_refused(bank: BankInfo, tmp_path: Path) -> None:
    path = tmp_path / "shards" / "part-00001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"shard shards/part-00001.parquet is damaged"):
        list(read_shards(bank, OPTIONS))
    with pytest.raises(StorageError, match="damaged"):
        read_searchable(bank, OPTIONS)


def test_a_shard_of_another_bank_is_refused(bank: BankInfo, tmp_path: Path) -> None:
    pq.write_table(shard(9, ["train"], [0]), tmp_path / "shards" / "part-00001.parquet")
    with pytest.raises(StorageError, match="damaged"):
        list(read_shards(bank, OPTIONS))


def test_a_missing_shard_is_said(bank: BankInfo, tmp_path: Path) -> None:
    (tmp_path / "shards" / "part-00002.parquet").unlink()
    with pytest.raises(StorageError, match=r"shard shards/part-00002.parquet is missing"):
        list(read_shards(bank, OPTIONS))


def test_searched_is_view_0_of_train(bank: BankInfo) -> None:
    table = read_searchable(bank, OPTIONS)
    assert table["image_id"].to_pylist() == ["id0", "id3", "id5", "id6"]
    assert table.column_names == ["image_id", "uri", "label", "source", "embedding"]
    assert table["embedding"].num_chunks == 1
    rows = np.array([0, 3, 5, 6])
    expected = (rows[:, None] * DIM + np.arange(DIM)).astype(np.float32)
    assert np.array_equal(embedding_matrix(table["embedding"]), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_both_precisions(tmp_path: Path, dtype: str) -> None:
    bank = build(tmp_path, shard(0, ["train"] * 2, [0, 0], dtype), dtype=dtype)
    matrix = embedding_matrix(read_searchable(bank, OPTIONS)["embedding"])
    assert matrix.dtype == np.dtype(dtype)
    assert matrix.tolist() == [[0, 1, 2], [3, 4, 5]]


# Columns of embeddings

FLOATS = st.sampled_from([np.float16, np.float32])


def numbered(num: int, dim: int, dtype: type[np.floating]) -> npt.NDArray[np.floating]:
    return np.arange(num * dim, dtype=dtype).reshape(num, dim)


@given(
    num=st.integers(0, 12),
    dim=st.integers(1, 5),
    dtype=FLOATS,
    start=st.integers(0, 12),
    length=st.integers(0, 12),
    cuts=st.lists(st.integers(0, 12), max_size=3),
)
def test_slices_and_chunks_of_a_column_are_those_rows(
    num: int, dim: int, dtype: type[np.floating], start: int, length: int, cuts: list[int]
) -> None:
    matrix = numbered(num, dim, dtype)
    column = embedding_column(matrix)
    assert column.type == pa.list_(pa.from_numpy_dtype(dtype), dim)
    bounds = sorted({0, num, *(cut for cut in cuts if cut <= num)})
    chunked = pa.chunked_array(
        [column.slice(a, b - a) for a, b in itertools.pairwise(bounds)],
        type=column.type,
    )
    for whole in (column, chunked):
        for part in (whole, whole.slice(start, length), whole.slice(1).slice(start)):
            rows = embedding_matrix(part)
            assert rows.dtype == dtype
            assert rows.shape == (len(part), dim)
            assert rows.tolist() == part.to_pylist()
    assert embedding_matrix(column.slice(start, length)).tolist() == (
        matrix[start : start + length].tolist()
    )


@given(valid=st.lists(st.booleans(), max_size=10), dtype=FLOATS, start=st.integers(0, 10))
def test_masked_rows_are_nulls(valid: list[bool], dtype: type[np.floating], start: int) -> None:
    matrix = numbered(len(valid), 2, dtype)
    column = embedding_column(matrix, np.array(valid, bool))
    expected = [row if ok else None for row, ok in zip(matrix.tolist(), valid, strict=True)]
    assert column.to_pylist() == expected
    assert column.slice(start).to_pylist() == expected[start:]
    # What passes through Parquet and a filter, as in the pipeline, are the valid rows.
    kept = column.slice(start).filter(column.slice(start).is_valid())
    assert embedding_matrix(kept).tolist() == [row for row in expected[start:] if row is not None]


def test_rows_of_nulls_are_never_passed_over_in_silence() -> None:
    column = embedding_column(numbered(3, 2, np.float32), np.array([True, False, True]))
    with pytest.raises(ValueError, match="reshape"):
        embedding_matrix(column)


def test_a_column_comes_from_any_layout_of_memory() -> None:
    matrix = numbered(3, 4, np.float32)
    assert embedding_column(matrix[::2, ::2]).to_pylist() == [[0, 2], [8, 10]]
    assert embedding_column(np.asfortranarray(matrix)).to_pylist() == matrix.tolist()


def test_one_chunk_is_not_copied() -> None:
    column = embedding_column(numbered(4, 2, np.float32))
    matrix = embedding_matrix(column)
    assert np.shares_memory(matrix, embedding_matrix(column))
    assert np.shares_memory(matrix, embedding_matrix(pa.chunked_array([column.slice(1)])))
