from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.crawl.handmade import TINY, make_bank
from tests.unit.pipeline.stored_files import DIM, vectors, write_embeddings
from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.storage import StorageOptions, StoredEmbeddings

HERE = StorageOptions()


def reader(column: str = "embedding", dim: int = DIM) -> StoredEmbeddings:
    return StoredEmbeddings(column, dim, HERE)


def rows_of(place: Path, **how: Any) -> list[dict[str, Any]]:
    found = reader(**how)
    return [row for t in found.tables(found.find(str(place))) for row in t.to_pylist()]


def test_without_names_a_row_is_known_by_file_and_number(tmp_path: Path) -> None:
    path = write_embeddings(tmp_path / "a.parquet", vectors(5), label=["fake", "0", *"101"])
    rows = rows_of(tmp_path)
    assert [(row["uri"], row["member"]) for row in rows] == [(str(path), str(n)) for n in range(5)]
    assert [row["label"] for row in rows] == [1, 0, 1, 0, 1]
    assert all(row["last_modified"] for row in rows)
    at = [(row["embedding_at"]["group"], row["embedding_at"]["row"]) for row in rows]
    assert at == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_a_file_with_nothing_but_embeddings_will_do(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "a.parquet", vectors(4), column="clip")
    assert [row["member"] for row in rows_of(tmp_path, column="clip")] == list("0123")


def test_names_and_what_is_known_of_the_image_are_taken_over(tmp_path: Path) -> None:
    digest = "AB" * 32
    write_embeddings(
        tmp_path / "a.parquet",
        vectors(2),
        uri=["b.png", "s3://c/d.tar"],
        member=[None, "x.png"],
        etag=['"e"', None],
        size_bytes=pa.array([1, None], pa.int32()),
        content_hash=[digest, None],
        width=[7, None],
        source=["x", "y"],
        tags=[["t"], None],
        verdict=["fake", "real"],
        image_id=["z", "z"],
    )
    found = reader()
    first, second = (row for t in found.tables(found.find(str(tmp_path))) for row in t.to_pylist())
    assert (first["uri"], first["member"]) == (f"{tmp_path}/b.png", None)
    assert (second["uri"], second["member"]) == ("s3://c/d.tar", "x.png")
    assert (first["etag"], first["size_bytes"], first["last_modified"]) == ("e", 1, None)
    assert (first["content_hash"], first["width"]) == (digest.lower(), 7)
    assert (first["source"], first["tags"]) == ("x", ["t"])
    assert found.ignored_columns == {"verdict"}


def test_folders_are_looked_through_in_order_whatever_else_lies_there(tmp_path: Path) -> None:
    for name in ("b/x.parquet", "a.parquet", "b/c/y.PARQUET"):
        write_embeddings(tmp_path / name, vectors(1), uri=[name])
    (tmp_path / "_SUCCESS").touch()
    found = reader().find(str(tmp_path))
    assert [Path(file.uri).name for file in found] == ["a.parquet", "x.parquet", "y.PARQUET"]


def test_of_a_bank_the_images_themselves_are_taken(tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    (shard,) = reader(dim=8).find(str(bank))
    assert (shard.encoder_id, shard.num_rows) == (TINY.encoder_id, 6)
    rows = rows_of(bank, dim=8)
    assert [row["uri"] for row in rows] == [f"/bank/{n:032x}.png" for n in range(6)]
    assert [row["label"] for row in rows] == [0, 1] * 3
    assert "view" not in rows[0]


def test_files_tell_by_whom_they_were_made(tmp_path: Path) -> None:
    told = {"ufd_ray.encoder_id": "abc", "ufd_ray.precision": "bf16"}
    write_embeddings(tmp_path / "a.parquet", vectors(1), metadata=told)
    write_embeddings(tmp_path / "b.parquet", vectors(1))
    made = [(file.encoder_id, file.precision) for file in reader().find(str(tmp_path))]
    assert made == [("abc", "bf16"), (None, None)]


REFUSED = [
    ({"column": "clip"}, "no column 'embedding' .*--embedding-column.* found clip"),
    ({"kind": pa.list_(pa.int32())}, "column 'embedding' is list.*int32.*; expected lists of"),
    ({"kind": pa.list_(pa.float32(), 5), "rows": vectors(3, 5)}, "have 5 numbers, and .* take 4"),
    ({"rows": [*vectors(9, 6), None, []]}, r"have 6 \(mean\) numbers, and the detectors take 4"),
    ({"rows": vectors(3, 2)}, r"have 2 \(mean\) numbers"),
    ({"uri": ["/a", "", "/b"]}, "`uri` has empty cells"),
    ({"uri": ["/a", None, "/b"]}, "`uri` has empty cells"),
    ({"uri": ["/a", "https://b/c?token=x", "/b"]}, "row 1 has the signed parameter token in it"),
    ({"content_hash": ["0" * 64, "xyz", None]}, "'content_hash' has other values than SHA-256"),
    ({"label": ["2", "0", "1"]}, "label '2'; expected 0 or real"),
    ({"width": ["x", "1", "2"]}, "column 'width' is string; expected int32"),
    ({"height": [2**40, 1, 2]}, "column 'height' is int64; expected int32"),
]


@pytest.mark.parametrize("odd", [[None], [[]], [[1.0, None, 2.0, 3.0]], [[1.0, 2.0, None]]])
def test_a_few_odd_rows_refuse_no_file(tmp_path: Path, odd: list[Any]) -> None:
    write_embeddings(tmp_path / "a.parquet", rows=[*vectors(20), *odd])
    assert len(rows_of(tmp_path)) == 21


@pytest.mark.parametrize(("how", "complaint"), REFUSED)
def test_what_cannot_be_used_is_said(tmp_path: Path, how: dict[str, Any], complaint: str) -> None:
    write_embeddings(tmp_path / "a.parquet", **{"rows": vectors(3)} | how)
    with pytest.raises(SettingsError, match=f"--embeddings .*a.parquet: .*{complaint}") as raised:
        rows_of(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 no, not really PAR1"])
def test_places_without_embeddings_are_said(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / "a.parquet"
    if content is not None:
        place.write_bytes(content)
    expected = "nothing there" if content is None else "cannot be read as Parquet"
    with pytest.raises(SettingsError, match=f"--embeddings {place}: {expected}"):
        reader().find(str(place))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    with pytest.raises(SettingsError, match=r"images: no \*\.parquet there"):
        reader().find(f"{tmp_path}/images")


def test_a_row_that_is_too_short_is_not_the_whole_files_fault(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "a.parquet", [*vectors(20), [1.0], None])
    assert len(rows_of(tmp_path)) == 22


def test_a_file_that_changes_between_two_looks_is_said(tmp_path: Path) -> None:
    path = write_embeddings(tmp_path / "a.parquet", vectors(3))
    found = reader()
    files = found.find(str(path))
    write_embeddings(path, vectors(9))
    with pytest.raises(StorageError, match=r"a\.parquet: it changed while it was read"):
        list(found.tables(files))
