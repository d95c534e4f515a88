from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.errors import StorageError
from ufd_ray.storage import StorageOptions, embedding_column
from ufd_ray.storage.runs.embeddings import ROWS_PER_GROUP, KeptEmbeddings, index_embeddings

OPTIONS = StorageOptions()
NUM_KEPT = 2 * ROWS_PER_GROUP + 7


def content(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def keep(path: Path, numbers: list[int], scale: float = 1.0) -> str:
    """A file as a run publishes it; the embedding of content n is (n, -n) times `scale`."""
    matrix = np.array([[n, -n] for n in numbers], np.float32).reshape(-1, 2) * np.float32(scale)
    columns = {
        "image_id": pa.array([f"image {n}" for n in numbers], pa.string()),
        "content_hash": pa.array([content(n) for n in numbers], pa.string()),
        "embedding": embedding_column(matrix),
    }
    pq.write_table(pa.table(columns), path, row_group_size=ROWS_PER_GROUP)
    return str(path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> KeptEmbeddings:
    """Contents 0 … 518 in one file, 510 … 519 in an older one that says something else of them."""
    folder = tmp_path_factory.mktemp("embeddings")
    files = [
        keep(folder / "new.parquet", list(range(NUM_KEPT))),
        keep(folder / "old.parquet", list(range(510, 520)), scale=100),
        keep(folder / "empty.parquet", []),
    ]
    return KeptEmbeddings(index_embeddings(files, OPTIONS), OPTIONS)


@given(numbers=st.lists(st.none() | st.integers(0, 540), max_size=40))
def test_what_is_kept_is_found_wherever_it_lies(
    kept: KeptEmbeddings, numbers: list[int | None]
) -> None:
    found, which = kept.read([None if n is None else content(n) for n in numbers])
    there = [n for n in numbers if n is not None and n < 520]
    assert which.tolist() == [n is not None and n < 520 for n in numbers]
    expected = [[n, -n] if n < NUM_KEPT else [100 * n, -100 * n] for n in there]
    assert (found is None) == (not there)
    if found is not None:
        assert found.tolist() == expected


def test_a_content_counts_once(kept: KeptEmbeddings) -> None:
    assert len(kept.index) == 520


def test_nothing_kept_is_nothing_found() -> None:
    kept = KeptEmbeddings(index_embeddings([], OPTIONS), OPTIONS)
    found, which = kept.read([content(0), None])
    assert found is None
    assert which.tolist() == [False, False]


def test_only_the_row_groups_that_are_needed_are_read(
    kept: KeptEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = pq.ParquetFile.read_row_group

    def noted(self: Any, number: int, *args: Any, **more: Any) -> Any:
        read.append(number)
        return real(self, number, *args, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    fresh = KeptEmbeddings(kept.index, OPTIONS)
    fresh.read([content(n) for n in (300, 5, 301, 6)])
    fresh.read([content(7)])
    assert sorted(read) == [0, 1]


def test_a_damaged_file_is_named_with_the_way_round_it(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"part.parquet cannot be read .*--no-reuse-embeddings"):
        index_embeddings([f"{tmp_path}/part.parquet"], OPTIONS)
    file = keep(tmp_path / "part.parquet", [1, 2])
    kept = KeptEmbeddings(index_embeddings([file], OPTIONS), OPTIONS)
    Path(file).unlink()
    with pytest.raises(StorageError, match=r"part.parquet cannot be read"):
        kept.read([content(1)])


@pytest.mark.parametrize("now", [[2, 1], [1], [], [7, 8, 9]])
def test_another_file_in_its_place_is_never_taken_for_it(tmp_path: Path, now: list[int]) -> None:
    file = keep(tmp_path / "part.parquet", [1, 2])
    kept = KeptEmbeddings(index_embeddings([file], OPTIONS), OPTIONS)
    keep(tmp_path / "part.parquet", now)
    with pytest.raises(StorageError, match=r"part.parquet cannot be read"):
        kept.read([content(2)])


def test_row_groups_of_another_size_are_never_misread(tmp_path: Path) -> None:
    file = keep(tmp_path / "part.parquet", list(range(NUM_KEPT)))
    pq.write_table(pq.read_table(file), file, row_group_size=ROWS_PER_GROUP + 1)
    kept = KeptEmbeddings(index_embeddings([file], OPTIONS), OPTIONS)
    with pytest.raises(StorageError, match="row 300 is not the content that it was"):
        kept.read([content(300)])
