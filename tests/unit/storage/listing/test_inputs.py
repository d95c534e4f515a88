"""Prefixes and single files as inputs: what is listed, and what globs leave out of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.unit.storage.listing.input_tables import LISTED, OPTIONS, TIMESTAMP, names_below, read
from ufd_ray.errors import SettingsError
from ufd_ray.storage import Inputs
from ufd_ray.storage.listing.columns import folder_label


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.png", "b.json", "x/c.jpg", "x/0_real/d.jpg", "y/1_fake/z/e.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_a_prefix_takes_everything(photos: Path) -> None:
    table = read(photos)
    assert table.column_names == LISTED
    text, number = pa.string(), pa.int64()
    assert table.schema.types == [text, text, text, number, TIMESTAMP, number]
    assert table["member"].null_count == table["offset"].null_count == len(table)
    assert sorted(names_below(photos, table)) == sorted(
        ["a.jpg", "b.json", "b.png", "x/0_real/d.jpg", "x/c.jpg", "y/1_fake/z/e.jpg"]
    )
    assert table["size_bytes"].to_pylist() == [len(n) for n in names_below(photos, table)]
    assert table["last_modified"].null_count == 0


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        (["*.png"], [], ["b.png"]),
        (["a*"], [], ["a.jpg"]),
        (["a.*", "b.*"], ["*.json"], ["a.jpg", "b.png"]),
        (["x/*"], [], ["x/0_real/d.jpg", "x/c.jpg"]),
        (["*/0_real/*"], [], ["x/0_real/d.jpg"]),
        ([], ["*.jpg"], ["b.json", "b.png"]),
        (["[ab].[!j]*"], [], ["b.png"]),
        (["A*"], [], []),
        (["*photos*"], [], []),
    ],
)
@pytest.mark.parametrize("spelling", ["plain", "slash", "relative", "dots", "file"])
def test_globs_see_names_below_the_prefix_however_it_is_spelt(
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    include: list[str],
    exclude: list[str],
    kept: list[str],
    spelling: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    prefix = {
        "plain": str(photos),
        "slash": f"{photos}/",
        "relative": "photos",
        "dots": "photos/x/../../photos/.",
        "file": f"file://{photos}",
    }[spelling]
    inputs = Inputs([prefix], include, exclude)
    table = pa.concat_tables(inputs.tables(OPTIONS))
    assert sorted(names_below(photos, table)) == kept
    assert inputs.num_left_out == 6 - len(kept)


def test_globs_see_the_name_of_a_single_file(photos: Path) -> None:
    assert len(read(photos / "a.jpg", include=["a*"])) == 1
    inputs = Inputs([str(photos / "a.jpg")], exclude=["*.jpg"])
    assert sum(map(len, inputs.tables(OPTIONS))) == 0
    assert inputs.num_left_out == 1


def test_globs_see_names_that_are_not_utf8(tmp_path: Path) -> None:
    try:
        (tmp_path / "\udcff x.jpg").write_bytes(b"1")
    except OSError:
        pytest.skip("this file system takes no names but UTF-8")
    (tmp_path / "y.jpg").write_bytes(b"2")
    assert read(tmp_path, include=["? x.jpg"])["uri"].to_pylist() == [
        f"file://{tmp_path}/%FF%20x.jpg"
    ]


def test_labels_by_folder(photos: Path) -> None:
    table = read(photos, by_folder=True)
    assert table.schema.field("label").type == pa.int8()
    assert dict(zip(names_below(photos, table), table["label"].to_pylist(), strict=True)) == {
        "a.jpg": None,
        "b.json": None,
        "b.png": None,
        "x/c.jpg": None,
        "x/0_real/d.jpg": 0,
        "y/1_fake/z/e.jpg": 1,
    }


@pytest.mark.parametrize(
    ("uri", "label"),
    [
        ("/d/progan/airplane/0_real/a.jpg", 0),
        ("s3://b/1_fake/x/y/a.jpg", 1),
        ("s3://b/0_real_not/a.jpg", None),
        ("s3://b/x/not_1_fake/a.jpg", None),
        ("s3://b/0_REAL/a.jpg", None),
        ("a.jpg", None),
    ],
)
def test_label_of_a_path(uri: str, label: int | None) -> None:
    assert folder_label(uri) == label


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("nothing", "empty", "nothing.csv"):
        with pytest.raises(SettingsError, match=f"--input .*{name}: nothing there"):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.tar.gz", "A.TGZ", "a.tar.zst", "photos.zip"])
def test_compressed_archives_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"give an uncompressed \.tar, or unpack it"):
        read(f"s3://bucket/{name}")


def test_a_folder_may_be_named_like_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "list.csv").mkdir()
    (tmp_path / "list.csv" / "a.jpg").touch()
    assert names_below(tmp_path, read(tmp_path / "list.csv")) == ["list.csv/a.jpg"]


def test_several_inputs_come_in_order(photos: Path) -> None:
    table = read(photos / "b.png", photos / "x", photos / "a.jpg")
    assert names_below(photos, table) == ["b.png", "x/c.jpg", "x/0_real/d.jpg", "a.jpg"]
