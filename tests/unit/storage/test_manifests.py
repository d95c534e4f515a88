from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.errors import SettingsError
from ufd_ray.schema import MANIFEST
from ufd_ray.storage import (
    Inputs,
    ManifestInfo,
    StorageOptions,
    image_id,
    list_folder,
    number_images,
    read_object,
    write_manifest,
)
from ufd_ray.storage import manifests as module

OPTIONS = StorageOptions()


def listed(uris: list[str], **further: Any) -> Any:
    """A table as `Inputs.tables` yields it."""
    rows = len(uris)
    return pa.table(
        {
            "uri": pa.array(uris, pa.string()),
            "etag": pa.nulls(rows, pa.string()),
            "size_bytes": pa.array(range(rows), pa.int64()),
            "last_modified": pa.nulls(rows, pa.timestamp("us", tz="UTC")),
            **further,
        }
    )


def stored(folder: Path) -> Any:
    parts = [pq.read_table(io.BytesIO(read_object(uri, OPTIONS))) for uri in files(folder)]
    return pa.concat_tables(parts)


def files(folder: Path) -> list[str]:
    return list_folder(str(folder), OPTIONS)


@given(
    inputs=st.lists(st.lists(st.integers(0, 9).map(str), max_size=8), max_size=6),
    limit=st.none() | st.integers(1, 12),
)
def test_every_image_once_with_its_place(inputs: list[list[str]], limit: int | None) -> None:
    numbered = list(number_images([listed(uris) for uris in inputs], limit))
    uris = [uri for table in numbered for uri in table["uri"].to_pylist()]
    expected = list(dict.fromkeys(uri for table in inputs for uri in table))[:limit]
    assert uris == expected
    positions = [p for table in numbered for p in table["position"].to_pylist()]
    assert positions == list(range(len(expected)))
    ids = [name for table in numbered for name in table["image_id"].to_pylist()]
    assert ids == [image_id(uri) for uri in expected]
    # What was known of an image is what its first mention says.
    first = {uri: n for table in reversed(inputs) for n, uri in reversed(list(enumerate(table)))}
    sizes = [size for table in numbered for size in table["size_bytes"].to_pylist()]
    assert sizes == [first[uri] for uri in expected]


def test_a_page_of_nothing_new_is_no_fault() -> None:
    tables = [listed(["a", "b"]), listed(["b", "a"]), listed([]), listed(["c"])]
    assert [len(table) for table in number_images(tables)] == [2, 0, 0, 1]


def test_a_limit_stops_the_listing() -> None:
    def endless() -> Any:
        number = 0
        while True:
            yield listed([f"{number}a", f"{number}b"])
            number += 1

    assert sum(map(len, number_images(endless(), limit=5))) == 5


def test_the_stored_manifest(tmp_path: Path) -> None:
    tables = [listed(["a", "b", "a"]), listed(["b", "c"])]
    info = write_manifest(str(tmp_path), tables, OPTIONS)
    assert info == ManifestInfo(num_images=3, num_repeated=2, further=())
    table = stored(tmp_path)
    assert table.schema.equals(pa.schema(MANIFEST))
    assert table["uri"].to_pylist() == ["a", "b", "c"]
    assert table["position"].to_pylist() == [0, 1, 2]
    assert table["member"].null_count == 3


def test_overlapping_inputs_on_a_disk(tmp_path: Path) -> None:
    for name in ("photos/a.jpg", "photos/x/b.jpg", "photos/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("photos/x/b.jpg\nphotos/a.jpg\nphotos/new.jpg\n")
    inputs = Inputs([f"{tmp_path}/{n}" for n in ("photos/x", "photos", "list.txt", "photos/a.jpg")])
    info = write_manifest(f"{tmp_path}/manifest", inputs.tables(OPTIONS), OPTIONS)
    assert (info.num_images, info.num_repeated) == (4, 4)
    names = [uri.rpartition("/")[2] for uri in stored(tmp_path / "manifest")["uri"].to_pylist()]
    assert names == ["b.jpg", "a.jpg", "c.jpg", "new.jpg"]


def test_no_images_are_one_file_without_rows(tmp_path: Path) -> None:
    info = write_manifest(str(tmp_path), [], OPTIONS)
    assert (info.num_images, info.num_repeated) == (0, 0)
    assert len(files(tmp_path)) == 1
    assert stored(tmp_path).schema.equals(pa.schema(MANIFEST))


def test_large_manifests_are_cut_into_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS_PER_FILE", 3)
    write_manifest(str(tmp_path), [listed([str(n) for n in range(7)])], OPTIONS)
    assert [uri.rpartition("/")[2] for uri in files(tmp_path)] == [
        f"part-{number:05d}.parquet" for number in range(3)
    ]
    assert stored(tmp_path)["position"].to_pylist() == list(range(7))


def test_further_columns_are_united(tmp_path: Path) -> None:
    tables = [
        listed(["a"], label=pa.array([1], pa.int8()), note=pa.array(["x"])),
        listed(["b"]),
        listed(["c"], score=pa.array([0.5]), note=pa.array([None], pa.string())),
    ]
    info = write_manifest(str(tmp_path), tables, OPTIONS)
    assert info.further == (
        pa.field("label", pa.int8()),
        pa.field("note", pa.string()),
        pa.field("score", pa.float64()),
    )
    table = stored(tmp_path)
    assert table.schema.equals(pa.schema([*MANIFEST, *info.further]))
    assert table.select(["label", "note", "score"]).to_pylist() == [
        {"label": 1, "note": "x", "score": None},
        {"label": None, "note": None, "score": None},
        {"label": None, "note": None, "score": 0.5},
    ]


def test_a_further_column_of_two_types_is_refused(tmp_path: Path) -> None:
    tables = [listed(["a"], n=pa.array([1])), listed(["b"], n=pa.array(["1"]))]
    with pytest.raises(
        SettingsError, match="column 'n' is int64 in one manifest and string in another"
    ):
        write_manifest(str(tmp_path), tables, OPTIONS)
    assert files(tmp_path) == []
