from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.errors import AccountsError, StorageError
from ufd_ray.storage import Parts, StorageOptions, write_table

OPTIONS = StorageOptions()


def rows(positions: list[int], contents: list[str | None] | None = None) -> Any:
    return pa.table(
        {
            "position": pa.array(positions, pa.int64()),
            "image_id": pa.array([f"id{p}" for p in positions], pa.string()),
            "content_hash": pa.array(
                [f"hash{p}" for p in positions] if contents is None else contents, pa.string()
            ),
        }
    )


def parts(folder: Path, *tables: Any) -> Parts:
    folder.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet")
    return Parts(str(folder), OPTIONS)


def test_sound_accounts_in_any_order(tmp_path: Path) -> None:
    parts(tmp_path, rows([3, 0]), rows([]), rows([1]), rows([4, 2])).check_accounts(5)


def test_no_rows_of_no_images_are_sound(tmp_path: Path) -> None:
    parts(tmp_path, rows([])).check_accounts(0)


@pytest.mark.parametrize(
    ("positions", "num_images", "said"),
    [
        ([0, 2], 3, "3 images went in, 2 rows came out: 1 lost (positions 1)."),
        ([0, 1, 1, 2, 2, 2], 3, "3 images went in, 6 rows came out: 2 double (positions 1, 2)."),
        ([0, 1, 7], 2, "1 foreign (positions 7)."),
        ([0, 1, -1], 2, "1 foreign (positions -1)."),
        ([0, 1, 2**62], 2, f"1 foreign (positions {2**62})."),
        ([0, 0, 9], 3, "2 lost (positions 1, 2); 1 double (positions 0); 1 foreign (positions 9)."),
        ([], 9, "9 images went in, 0 rows came out: 9 lost (positions 0, 1, 2, 3, 4, …)."),
        ([5], 0, "0 images went in, 1 rows came out: 1 foreign (positions 5)."),
    ],
)
def test_faults_are_counted_and_named(
    tmp_path: Path, positions: list[int], num_images: int, said: str
) -> None:
    with pytest.raises(AccountsError) as caught:
        parts(tmp_path, rows(positions)).check_accounts(num_images)
    assert said in str(caught.value)
    assert str(caught.value).endswith("Nothing was published.")


def test_no_parts_at_all_are_an_account_of_nothing(tmp_path: Path) -> None:
    nothing = Parts(str(tmp_path), OPTIONS)
    assert nothing.uris == []
    with pytest.raises(AccountsError, match="2 images went in, 0 rows came out: 2 lost"):
        nothing.check_accounts(2)


def test_only_parquet_files_count(tmp_path: Path) -> None:
    (tmp_path / "_temporary.crc").write_bytes(b"x")
    (tmp_path / ".writing-1").write_bytes(b"x")
    found = parts(tmp_path, rows([0]))
    assert found.uris == [f"{tmp_path}/0.parquet"]
    found.check_accounts(1)


def test_a_folder_with_odd_signs_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a b#%20?"
    parts(folder, rows([0, 1])).check_accounts(2)
    encoded = f"file://{tmp_path}/a%20b%23%2520%3F"
    Parts(encoded, OPTIONS).check_accounts(2)


@given(
    order=st.permutations(range(20)),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    rows_per_file=st.integers(1, 25),
)
def test_ranges_follow_the_manifest(
    tmp_path_factory: pytest.TempPathFactory,
    order: list[int],
    cuts: list[int],
    rows_per_file: int,
) -> None:
    bounds = [0, *sorted(cuts), 20]
    tables = [rows(order[a:b]) for a, b in pairwise(bounds)]
    found = parts(tmp_path_factory.mktemp("parts"), *tables)
    ranges = [table["position"].to_pylist() for table in found.ranges(20, rows_per_file)]
    assert ranges == [
        list(range(start, min(start + rows_per_file, 20))) for start in range(0, 20, rows_per_file)
    ]


def test_a_range_of_no_rows_has_the_columns(tmp_path: Path) -> None:
    (only,) = parts(tmp_path, rows([])).ranges(0, 10)
    assert len(only) == 0
    assert only.column_names == ["position", "image_id", "content_hash"]


def test_the_first_with_the_same_bytes_is_first_in_the_manifest(tmp_path: Path) -> None:
    found = parts(
        tmp_path,
        rows([5, 3, 0], ["x", "x", "y"]),
        rows([4, 1, 2, 6], ["x", "z", None, None]),
    )
    firsts = found.first_with_same_content()
    assert firsts.select(["content_hash", "position", "first_id"]).to_pylist() == [
        {"content_hash": "x", "position": 3, "first_id": "id3"}
    ]


def test_no_duplicates_are_an_empty_table(tmp_path: Path) -> None:
    for number, table in enumerate((rows([0, 1]), rows([]), rows([0, 1], [None, None]))):
        firsts = parts(tmp_path / str(number), table).first_with_same_content()
        assert len(firsts) == 0
        assert {"content_hash", "first_id"} <= set(firsts.column_names)


def test_a_published_file_is_as_it_is_accounted(tmp_path: Path) -> None:
    metadata = {"ufd_ray.run_id": "r1", "ufd_ray.bank": "/banks/\udcff"}
    file = write_table(str(tmp_path), "scores/part-00000.parquet", rows([0, 1]), OPTIONS, metadata)
    data = (tmp_path / "scores" / "part-00000.parquet").read_bytes()
    assert file.to_dict() == {
        "name": "scores/part-00000.parquet",
        "num_rows": 2,
        "sha256": hashlib.sha256(data).hexdigest(),
        "num_bytes": len(data),
    }
    table = pq.read_table(tmp_path / "scores" / "part-00000.parquet")
    assert table.equals(rows([0, 1]))
    assert table.schema.metadata[b"ufd_ray.run_id"] == b"r1"
    assert table.schema.metadata[b"ufd_ray.bank"] == rb"/banks/\udcff"


def test_foreign_metadata_does_not_come_along(tmp_path: Path) -> None:
    table = rows([0]).replace_schema_metadata({"pandas": "{}"})
    write_table(str(tmp_path), "a.parquet", table, OPTIONS)
    assert not pq.read_schema(tmp_path / "a.parquet").metadata


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "scores").write_bytes(b"a file")
    with pytest.raises(StorageError, match="cannot be written"):
        write_table(str(tmp_path), "scores/part-00000.parquet", rows([0]), OPTIONS)
