from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.storage import Inputs, StorageOptions
from ufd_ray.storage.containers.parquet_images import find_image_column

OPTIONS = StorageOptions()
BYTES = pa.binary()
HUGGING_FACE = pa.struct([("bytes", BYTES), ("path", pa.string())])


def listed(path: Path, table: Any, **how: Any) -> tuple[Any, Inputs]:
    pq.write_table(table, path, row_group_size=2)
    inputs = Inputs([str(path)], **how)
    return pa.concat_tables(inputs.tables(OPTIONS)), inputs


@pytest.mark.parametrize(
    "kind", [BYTES, pa.large_binary(), pa.binary_view(), HUGGING_FACE], ids=str
)
def test_a_column_of_bytes_is_the_images(kind: Any) -> None:
    others = [("label", pa.int64()), ("path", pa.struct([("path", pa.string())]))]
    schema = pa.schema([*others, ("image", kind)])
    assert find_image_column("--input x", schema, None) == "image"
    assert find_image_column("--input x", schema, "image") == "image"


def test_a_column_uri_and_no_bytes_are_a_manifest() -> None:
    schema = pa.schema([("uri", pa.string()), ("n", pa.int8())])
    assert find_image_column("--input x", schema, None) is None
    assert find_image_column("--input x", schema, "image") is None


def test_bytes_are_images_though_there_be_a_uri() -> None:
    schema = pa.schema([("uri", pa.string()), ("jpg", BYTES)])
    assert find_image_column("--input x", schema, None) == "jpg"


def test_of_several_columns_of_bytes_one_has_to_be_named() -> None:
    schema = pa.schema([("image", HUGGING_FACE), ("mask", BYTES), ("n", pa.int8())])
    with pytest.raises(
        SettingsError, match=r"--input x: several .* --image-column; .*mask \(binary"
    ):
        find_image_column("--input x", schema, None)
    assert find_image_column("--input x", schema, "mask") == "mask"


@pytest.mark.parametrize("named", ["n", "nothing"])
def test_a_named_column_has_to_hold_bytes(named: str) -> None:
    schema = pa.schema([("image", BYTES), ("n", pa.int8())])
    with pytest.raises(SettingsError, match=f"--image-column {named} is no column of bytes there"):
        find_image_column("--input x", schema, named)


def test_neither_a_manifest_nor_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"neither a manifest.*; found url \(string\), n \(int64"
    ):
        listed(tmp_path / "x.parquet", pa.table({"url": ["a"], "n": [1]}))


def test_every_row_is_an_image(tmp_path: Path) -> None:
    table = pa.table(
        {
            "image": pa.array([{"bytes": b"1", "path": "a.png"}] * 5, HUGGING_FACE),
            "thumbnail": pa.array([b"2"] * 5),
            "label": [0, 1, None, 1, 0],
            "caption": ["a", "b", "c", "d", None],
            "score": pa.array(range(5), pa.float32()),
        }
    )
    path = tmp_path / "x.parquet"
    found, _ = listed(path, table, image_column="image", by_folder=True)
    assert found["uri"].to_pylist() == [str(path)] * 5
    assert found["member"].to_pylist() == ["0", "1", "2", "3", "4"]
    assert found["size_bytes"].null_count == found["offset"].null_count == 5
    assert found["last_modified"].null_count == 0
    assert found.column_names[6:] == ["label", "caption", "score"]
    assert found["label"].to_pylist() == [0, 1, None, 1, 0]
    assert found["label"].type == pa.int8()
    assert found["caption"].to_pylist() == ["a", "b", "c", "d", None]
    assert found["score"].type == pa.float32()


def test_nothing_but_images(tmp_path: Path) -> None:
    (tmp_path / "1_fake").mkdir()
    table = pa.table({"image": pa.array([b"1", b"2", b"3"])})
    found, _ = listed(tmp_path / "1_fake" / "x.parquet", table, by_folder=True)
    assert found["member"].to_pylist() == ["0", "1", "2"]
    assert found["label"].to_pylist() == [1, 1, 1]


@pytest.mark.parametrize("columns", [{}, {"n": pa.array([], pa.int64())}])
def test_no_rows(tmp_path: Path, columns: dict[str, Any]) -> None:
    table = pa.table({"image": pa.array([], BYTES), **columns})
    found, _ = listed(tmp_path / "x.parquet", table)
    assert len(found) == 0
    assert found.column_names[6:] == list(columns)


def test_our_own_columns_are_named_as_ignored(tmp_path: Path) -> None:
    own = {"uri": ["u"], "member": ["m"], "etag": ["e"], "offset": [1], "verdict": ["v"]}
    table = pa.table({"image": pa.array([b"1"]), "mine": [1], **own})
    found, inputs = listed(tmp_path / "x.parquet", table)
    assert found.column_names[6:] == ["mine"]
    assert found["member"].to_pylist() == ["0"]
    assert inputs.ignored_columns == set(own)


def test_the_images_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": pa.array([b"x" * 1000]), "n": [1]}), path)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(data)
    (table,) = Inputs([str(path)]).tables(OPTIONS)
    assert table["n"].to_pylist() == [1]
