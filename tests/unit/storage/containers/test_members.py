from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.storage.containers.tar_files import SOUND, as_tar, sparse_tar
from ufd_ray.errors import ErrorCode, FetchError
from ufd_ray.storage import FetchLimits, Inputs, Known, StorageOptions
from ufd_ray.storage.containers import tar_reads as module
from ufd_ray.storage.containers.members import read_members

OPTIONS = StorageOptions()


def known(container: Path) -> list[Known]:
    """The images in a container, as its listing knows them."""
    names = ["uri", "etag", "size_bytes", "last_modified", "member", "offset"]
    tables = Inputs([str(container)]).tables(OPTIONS)
    return [Known(**row) for table in tables for row in table.select(names).to_pylist()]


def read(members: list[Known], max_bytes: int = 2**20, **how: Any) -> list[bytes | ErrorCode]:
    limits = FetchLimits(max_bytes=max_bytes, **how)
    found = read_members(members[0].uri, members, OPTIONS, limits)
    return [result.code if isinstance(result, FetchError) else result for result in found]


def touch_later(container: Path) -> None:
    moment = container.stat().st_mtime_ns + 2 * 10**9
    os.utime(container, ns=(moment, moment))


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    names = [f"{n}.{ending}" for n in range(4) for ending in ("jpg", "json")]
    contents = [(name, name.encode() * 100) for name in names]
    (tmp_path / "x.tar").write_bytes(as_tar([*contents, ("empty.jpg", b"")]))
    return tmp_path / "x.tar"


CONTENTS = [f"{n}.jpg".encode() * 100 for n in range(4)] + [b""]

# Tars


def test_members_in_any_order(shard: Path) -> None:
    members = known(shard)
    assert read(members) == CONTENTS
    assert read([members[3], members[0], members[3]]) == [CONTENTS[n] for n in (3, 0, 3)]


def test_members_whose_place_is_not_known_are_looked_for(shard: Path) -> None:
    names = [Known(str(shard), member=name) for name in ("2.jpg", "0.json", "none.jpg", "./2.jpg")]
    assert read(names) == [CONTENTS[2], b"0.json" * 100, ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND]
    placed = [replace(member, offset=None) for member in known(shard)]
    assert read(placed) == CONTENTS
    assert read([replace(placed[0], size_bytes=7)]) == [ErrorCode.CHANGED]


def test_of_two_members_with_one_name_the_first_counts(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(as_tar([("a.jpg", b"1"), ("a.jpg", b"2")]))
    assert read([Known(f"{tmp_path}/x.tar", member="a.jpg")]) == [b"1"]


def test_a_sparse_member_is_put_together(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(sparse_tar())
    whole = bytes(4096) + b"image" + bytes(6000 - 4096 - 5)
    assert read(known(tmp_path / "x.tar")) == [whole, b"2"]


@given(
    places=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 300)), max_size=30),
    gap=st.integers(0, 300),
    largest=st.integers(0, 600),
)
def test_each_piece_is_in_one_run_and_runs_are_bounded(
    places: list[tuple[int, int]], gap: int, largest: int
) -> None:
    pieces = sorted((start, size, number) for number, (start, size) in enumerate(places))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LARGEST_GAP", gap)
        patch.setattr(module, "_LARGEST_READ", largest)
        runs = list(module._runs(pieces))
    assert [piece for run in runs for piece in run] == pieces
    for run in runs:
        end = run[0][0] + run[0][1]
        for start, size, _ in run[1:]:
            assert start - end <= gap
            assert start + size - run[0][0] <= largest
            end = max(end, start + size)


def test_pieces_that_lie_far_apart_are_read_by_themselves(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGEST_GAP", 0)
    assert read(known(shard)) == CONTENTS


@pytest.mark.parametrize("offset", [-1, 10**6])
def test_a_place_that_is_not_in_the_tar(shard: Path, offset: int) -> None:
    assert read([replace(known(shard)[0], offset=offset)]) == [ErrorCode.NOT_FOUND]


def test_a_damaged_tar_is_every_members_error(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(SOUND[:1000])
    names = [Known(f"{tmp_path}/x.tar", member=name) for name in ("a.jpg", "b.jpg")]
    assert read(names) == [ErrorCode.CORRUPT] * 2


# Parquet


def write_rows(path: Path, images: list[bytes | None], **columns: Any) -> Path:
    table = pa.table({"image": pa.array(images, pa.binary()), **columns})
    pq.write_table(table, path, row_group_size=2)
    return path


def test_rows_in_any_order(tmp_path: Path) -> None:
    images = [b"0", b"11", None, b"333", b""]
    rows = known(write_rows(tmp_path / "x.parquet", images))
    assert read(rows) == [b"0", b"11", ErrorCode.NOT_FOUND, b"333", b""]
    assert read([rows[3], rows[0], rows[3]]) == [b"333", b"0", b"333"]


def test_rows_of_images_as_hugging_face_writes_them(tmp_path: Path) -> None:
    cells = [{"bytes": b"0", "path": "a.png"}, {"bytes": None, "path": "b.png"}, None]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), tmp_path / "x.parquet")
    rows = known(tmp_path / "x.parquet")
    assert read(rows) == [b"0", ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND]


def test_only_the_row_groups_that_are_wanted_are_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "x.parquet", [b"a" * 1000, b"b" * 1000, b"c" * 1000])
    rows = known(path)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert read(rows[:2]) == [b"a" * 1000, b"b" * 1000]
    assert read(rows[2:]) == [ErrorCode.CORRUPT]


@pytest.mark.parametrize("member", ["5", "-1", "00", "1.0", "a.jpg", "", "9" * 30, "١"])
def test_what_is_no_row(tmp_path: Path, member: str) -> None:
    path = write_rows(tmp_path / "x.parquet", [b"0", b"1"])
    assert read([Known(str(path), member=member)]) == [ErrorCode.NOT_FOUND]


def test_the_named_column_is_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "x.parquet", [b"0"], other=[b"other"])
    row = Known(str(path), member="0")
    assert read([row], image_column="other") == [b"other"]
    assert read([row]) == [ErrorCode.NOT_FOUND]


def test_a_damaged_file_is_every_rows_error(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "x.parquet", [b"0", b"1"])
    path.write_bytes(path.read_bytes()[:-10])
    assert read([Known(str(path), member="0")] * 2) == [ErrorCode.CORRUPT] * 2


# Both


@pytest.fixture(params=["tar", "parquet"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    makers: dict[str, Callable[[Path], Any]] = {
        "tar": lambda path: path.write_bytes(as_tar([("a.jpg", b"12"), ("b.jpg", b"1234")])),
        "parquet": lambda path: write_rows(path, [b"12", b"1234"]),
    }
    path = tmp_path / f"X.{request.param.upper()}"
    makers[request.param](path)
    return path


def test_too_many_bytes(container: Path) -> None:
    assert read(known(container), max_bytes=3) == [b"12", ErrorCode.TOO_MANY_BYTES]


def test_a_container_that_has_changed_since(container: Path) -> None:
    before = known(container)
    touch_later(container)
    assert read([before[0], known(container)[1]]) == [ErrorCode.CHANGED, b"1234"]


def test_a_container_that_is_gone(container: Path) -> None:
    rows = known(container)
    container.unlink()
    with pytest.raises(FileNotFoundError):
        read(rows)


def test_nothing_is_read_out_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK")
    assert read([Known(f"{tmp_path}/x.zip", member="a.jpg")]) == [ErrorCode.NOT_FOUND]
