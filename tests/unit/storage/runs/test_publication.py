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
from ufd_ray.storage import Parts, PublishedFile, StorageOptions, check_files, write_table
from ufd_ray.storage.runs import publication

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


def parts(folder: Path, *tables: Any, num_images: int = 20) -> Parts:
    folder.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet")
    return Parts(str(folder), manifest(folder, num_images), OPTIONS)


def manifest(parts_folder: Path, num_images: int) -> str:
    folder = parts_folder.with_name(f"{parts_folder.name}-manifest")
    folder.mkdir(exist_ok=True)
    listed = rows(list(range(num_images))).select(["position", "image_id"])
    batch = pa.nulls(num_images, pa.int64())
    pq.write_table(listed.append_column("batch", batch), folder / "part-00000.parquet")
    return str(folder)


def test_sound_accounts_in_any_order(tmp_path: Path) -> None:
    parts(tmp_path, rows([3, 0]), rows([]), rows([1]), rows([4, 2])).check_accounts(5)


def test_no_rows_of_no_images_are_sound(tmp_path: Path) -> None:
    parts(tmp_path, rows([])).check_accounts(0)


@pytest.mark.parametrize(
    ("positions", "num_images", "said"),
    [
        ([0, 2], 3, "3 images went in, 2 rows came out: 1 lost (id1)."),
        ([0, 1, 1, 2, 2, 2], 3, "3 images went in, 6 rows came out: 2 double (id1, id2)."),
        ([0, 1, 7], 2, "1 foreign (id7)."),
        ([0, 1, -1], 2, "1 foreign (position -1)."),
        ([0, 1, 2**62], 2, f"1 foreign (position {2**62})."),
        ([0, 0, 9], 3, "2 lost (id1, id2); 1 double (id0); 1 foreign (id9)."),
        ([], 9, "9 images went in, 0 rows came out: 9 lost (id0, id1, id2, id3, id4, …)."),
        ([5], 0, "0 images went in, 1 rows came out: 1 foreign (id5)."),
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
    nothing = Parts(f"{tmp_path}/parts", manifest(tmp_path / "parts", 2), OPTIONS)
    with pytest.raises(AccountsError, match="2 images went in, 0 rows came out: 2 lost"):
        nothing.check_accounts(2)


def test_only_parquet_files_count(tmp_path: Path) -> None:
    (tmp_path / "_temporary.crc").write_bytes(b"x")
    (tmp_path / ".writing-1").write_bytes(b"x")
    parts(tmp_path, rows([0])).check_accounts(1)


def test_a_folder_with_odd_signs_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a b#%20?"
    parts(folder, rows([0, 1])).check_accounts(2)
    encoded = f"file://{tmp_path}/a%20b%23%2520%3F"
    Parts(encoded, manifest(folder, 2), OPTIONS).check_accounts(2)


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


def test_a_row_of_another_image_is_named(tmp_path: Path) -> None:
    swapped = rows([0, 1, 2])
    ids = pa.array(["id0", "id2", "id1"], pa.string())
    found = parts(tmp_path, swapped.set_column(1, "image_id", ids), num_images=3)
    found.check_accounts(3)  # the positions are sound
    with pytest.raises(AccountsError, match="image id2 has the row of image id1"):
        list(found.ranges(3, 2))


def test_a_manifest_that_lacks_images_by_now_is_said(tmp_path: Path) -> None:
    found = parts(tmp_path, rows([0, 1, 2]), num_images=2)
    with pytest.raises(AccountsError, match=r"image id2 has the row of image \(none\)"):
        list(found.ranges(3, 5))


def test_a_damaged_part_is_said(tmp_path: Path) -> None:
    (tmp_path / "9.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=f"{tmp_path} cannot be read .* delete the run's folder"):
        parts(tmp_path, rows([0, 1, 2]))


def test_a_part_that_is_damaged_after_it_was_counted_is_said(tmp_path: Path) -> None:
    found = parts(tmp_path, rows([0, 1]), rows([2]))
    found.check_accounts(3)
    (tmp_path / "1.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=f"{tmp_path} cannot be read"):
        found.first_with_same_content()
    with pytest.raises(StorageError, match=f"{tmp_path} cannot be read"):
        list(found.ranges(3, 2))


def test_what_is_carried_through_is_what_the_manifest_has_more(tmp_path: Path) -> None:
    assert parts(tmp_path, rows([])).further == [pa.field("batch", pa.int64())]


def test_a_range_of_no_rows_has_the_columns(tmp_path: Path) -> None:
    (only,) = parts(tmp_path, rows([]), num_images=0).ranges(0, 10)
    assert len(only) == 0
    assert only.column_names == ["position", "image_id", "content_hash"]


@pytest.mark.parametrize("at_once", [1, 256])
def test_the_first_with_the_same_bytes_is_first_in_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(publication, "_AT_ONCE", at_once)
    found = parts(
        tmp_path,
        rows([5, 3, 0], ["x", "x", "y"]),
        rows([4, 1, 2, 6], ["x", "z", None, None]),
    )
    firsts = found.first_with_same_content()
    assert firsts.to_pylist() == [{"content_hash": "x", "first_id": "id3"}]


def test_no_duplicates_are_an_empty_table(tmp_path: Path) -> None:
    for number, table in enumerate((rows([0, 1]), rows([]), rows([0, 1], [None, None]))):
        firsts = parts(tmp_path / str(number), table).first_with_same_content()
        assert len(firsts) == 0
        assert set(firsts.column_names) == {"content_hash", "first_id"}


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


@pytest.fixture
def published(tmp_path: Path) -> list[PublishedFile]:
    """Two files of a run's scores and one of its embeddings."""
    names = ("scores/part-00000.parquet", "scores/part-00001.parquet", "embeddings/part-0.parquet")
    return [write_table(str(tmp_path), name, rows([0, 1, 2]), OPTIONS) for name in names]


def test_sound_files_are_read_back(tmp_path: Path, published: list[PublishedFile]) -> None:
    check_files(str(tmp_path), published, 6, OPTIONS)


@pytest.mark.parametrize("name", ["scores/part-00001.parquet", "embeddings/part-0.parquet"])
def test_a_file_that_reads_otherwise_is_named(
    tmp_path: Path, published: list[PublishedFile], name: str
) -> None:
    write_table(str(tmp_path), name, rows([0, 1, 3]), OPTIONS)
    with pytest.raises(AccountsError, match=f"{name} was written with 3 rows"):
        check_files(str(tmp_path), published, 6, OPTIONS)


def test_damaged_and_missing_files_are_named(
    tmp_path: Path, published: list[PublishedFile]
) -> None:
    (tmp_path / published[0].name).write_bytes(b"PAR1")
    with pytest.raises(AccountsError, match=published[0].name):
        check_files(str(tmp_path), published, 6, OPTIONS)
    (tmp_path / published[0].name).unlink()
    with pytest.raises(AccountsError, match=f"{published[0].name} .* it is gone"):
        check_files(str(tmp_path), published, 6, OPTIONS)


def test_rows_that_were_never_written_are_missed(
    tmp_path: Path, published: list[PublishedFile]
) -> None:
    with pytest.raises(AccountsError, match=r"6 rows were written of 7\."):
        check_files(str(tmp_path), published, 7, OPTIONS)
