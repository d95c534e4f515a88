from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.storage.containers.tar_files import SOUND, as_tar, sparse_tar
from ufd_ray.errors import SettingsError
from ufd_ray.storage import Inputs, StorageOptions
from ufd_ray.storage.containers.tars import Member, read_headers

OPTIONS = StorageOptions()
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def members_of(data: bytes) -> list[Member]:
    return [member for member, _ in read_headers(io.BytesIO(data), len(data))]


def listed(*tars: Path, **how: Any) -> tuple[list[dict[str, Any]], Inputs]:
    inputs = Inputs([str(tar) for tar in tars], **how)
    return [row for table in inputs.tables(OPTIONS) for row in table.to_pylist()], inputs


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(
    members=st.lists(
        st.tuples(NAMES.filter(lambda n: n.strip("/") == n), st.binary(max_size=1500))
    ),
    kind=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_a_members_bytes_lie_where_its_offset_says(
    members: list[tuple[str, bytes]], kind: int
) -> None:
    data = as_tar(members, kind)
    found = members_of(data)
    assert [member.name for member in found] == [name for name, _ in members]
    pieces = [data[m.offset : (m.offset or 0) + m.size_bytes] for m in found]
    assert pieces == [content for _, content in members]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_shard_as_img2dataset_writes_it(tmp_path: Path, kind: str) -> None:
    names = [f"{n:09d}.{ending}" for n in range(3) for ending in ("jpg", "json", "txt")]
    data = as_tar([(name, name.encode()) for name in names], FORMATS[kind])
    (tmp_path / "00000.tar").write_bytes(data)
    rows, inputs = listed(tmp_path / "00000.tar")
    assert [row["member"] for row in rows] == ["000000000.jpg", "000000001.jpg", "000000002.jpg"]
    for row in rows:
        assert data[row["offset"] :][: row["size_bytes"]] == row["member"].encode()
        assert row["uri"] == str(tmp_path / "00000.tar")
        assert row["last_modified"] is not None
    assert (inputs.num_sidecars, inputs.num_left_out) == (6, 0)


def test_images_are_known_by_their_endings_in_any_case(tmp_path: Path) -> None:
    images = ["a.JPG", "b.jpeg", "c.Png", "d.webp", "e.gif", "f.avif", "g.bmp", "h.tif", "i.TIFF"]
    others = ["a.jpg.json", "jpg", "x.svg", ".txt", "a.mp4"]
    (tmp_path / "x.tar").write_bytes(as_tar([(name, b"1") for name in images + others]))
    rows, inputs = listed(tmp_path / "x.tar")
    assert [row["member"] for row in rows] == images
    assert inputs.num_sidecars == len(others)


def test_names_are_only_names(tmp_path: Path) -> None:
    odd = ["./a.jpg", "../../etc/b.jpg", "/abs/c.jpg", "x//d.jpg", "a b#%41.jpg", "l\nf.jpg"]
    long = ["n" * 90 + "/" + "m" * 300 + "é.jpg"]
    (tmp_path / "x.tar").write_bytes(as_tar([(name, b"1") for name in odd + long]))
    rows, _ = listed(tmp_path / "x.tar")
    assert [row["member"] for row in rows] == odd + long


def test_names_that_are_not_utf8_are_percent_encoded(tmp_path: Path) -> None:
    data = as_tar([("\udcff %.jpg", b"1")], tarfile.GNU_FORMAT)
    (tmp_path / "x.tar").write_bytes(data)
    assert [row["member"] for row in listed(tmp_path / "x.tar")[0]] == ["%FF%20%25.jpg"]


def test_only_regular_files_are_members() -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            entry = tarfile.TarInfo(f"{kind!r}.jpg")
            entry.type, entry.linkname = kind, "a.jpg"
            tar.addfile(entry)
        tar.addfile(tarfile.TarInfo("empty.jpg"))
    data = sink.getvalue()
    assert [(m.name, m.size_bytes) for m in members_of(data)] == [("empty.jpg", 0)]


def test_sparse_members_have_no_place() -> None:
    holes, after = members_of(sparse_tar())
    assert holes == Member("holes.png", None, 6000)
    assert sparse_tar()[after.offset : (after.offset or 0) + 1] == b"2"


def test_globs_and_labels_see_the_members_names(tmp_path: Path) -> None:
    names = ["0_real/a.jpg", "x/1_fake/b.png", "c.jpg"]
    (tmp_path / "x.tar").write_bytes(as_tar([(name, b"1") for name in names]))
    rows, _ = listed(tmp_path / "x.tar", by_folder=True)
    assert [row["label"] for row in rows] == [0, 1, None]
    rows, inputs = listed(tmp_path / "x.tar", include=["*.jpg"], exclude=["c*"])
    assert [row["member"] for row in rows] == ["0_real/a.jpg"]
    assert inputs.num_left_out == 2


def test_ranges_of_shards_come_in_order(tmp_path: Path) -> None:
    for shard in range(12):
        members = [(f"{shard}-{n}.jpg", b"1") for n in range(1500)]
        (tmp_path / f"{shard:05d}.tar").write_bytes(as_tar(members))
    rows, _ = listed(tmp_path / "{00000..00011}.tar")
    assert [row["member"] for row in rows] == [
        f"{s}-{n}.jpg" for s in range(12) for n in range(1500)
    ]
    (tmp_path / "00007.tar").unlink()
    with pytest.raises(SettingsError, match=r"--input .*/00007\.tar: nothing there"):
        listed(tmp_path / "{00000..00011}.tar")


SECOND = 512 + 1024


def damaged() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "no tar", b"no tar" * 1000
    yield "compressed", b"\x1f\x8b" + bytes(1000)
    yield "cut in a header", SOUND[:100]
    yield "cut in a member", SOUND[:1000]
    yield "cut in the last member", SOUND[: SECOND + 512 + 999]
    yield "cut between members", SOUND[:SECOND]
    yield "cut before its end", SOUND[: SECOND + 1536]
    yield "no second header", SOUND[:SECOND] + b"\xff" * 512 + SOUND[SECOND + 512 :]
    yield "a header too long", header(tarfile.GNUTYPE_LONGNAME, 2**30) + bytes(2**21)
    yield "a negative size", header(tarfile.REGTYPE, -1024) + bytes(2048)
    yield "a link to itself", header(tarfile.GNUTYPE_LONGNAME, -512) + bytes(2048)
    yield "headers without end", header(tarfile.GNUTYPE_LONGNAME, 0) * 5000
    yield "a size beyond the file", header(tarfile.REGTYPE, 2**60) + bytes(2048)


def header(kind: bytes, size: int) -> bytes:
    entry = tarfile.TarInfo("a.jpg")
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(("why", "data"), list(damaged()))
def test_a_damaged_tar_is_refused_in_one_line(tmp_path: Path, why: str, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        listed(tmp_path / "x.tar")
    message = str(caught.value)
    assert message.startswith(f"--input {tmp_path}/x.tar: cannot be read as an uncompressed .tar (")
    assert "\n" not in message


@given(noise=st.binary(min_size=1, max_size=600), place=st.integers(0, len(SOUND)))
def test_whatever_the_bytes_reading_ends(noise: bytes, place: int) -> None:
    data = SOUND[:place] + noise + SOUND[place + len(noise) :]
    try:
        found = members_of(data)
    except (tarfile.TarError, ValueError, OverflowError, EOFError, KeyError, RecursionError):
        return
    for member in found:
        assert 0 <= (member.offset or 0) <= (member.offset or 0) + member.size_bytes <= len(data)
