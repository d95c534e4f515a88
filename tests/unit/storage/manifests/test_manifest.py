from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ufd_ray.errors import SettingsError, StorageError
from ufd_ray.schema import MANIFEST
from ufd_ray.storage import (
    Inputs,
    ManifestInfo,
    StorageOptions,
    image_id,
    list_folder,
    select_images,
    write_manifest,
)
from ufd_ray.storage.manifests import candidates
from ufd_ray.storage.manifests import manifest as module
from ufd_ray.storage.objects import read_object
from ufd_ray.storage.scratch import open_scratch

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


@contextmanager
def selected(tables: Iterable[Any], limit: int | None = None) -> Iterator[tuple[Any, Any]]:
    """All rows that are taken, as one table; and what is said of them."""
    with select_images(tables, limit=limit) as selection:
        yield pa.concat_tables([selection.schema.empty_table(), *selection.tables]), selection.info


@given(
    inputs=st.lists(st.lists(st.integers(0, 9).map(str), max_size=8), max_size=6),
    limit=st.none() | st.integers(1, 12),
    rows_per_chunk=st.integers(1, 9),
)
@settings(max_examples=50)
def test_every_image_once_with_its_place(
    inputs: list[list[str]], limit: int | None, rows_per_chunk: int
) -> None:
    tables = [listed(uris) for uris in inputs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "_ROWS_PER_CHUNK", rows_per_chunk)
        with selected(tables, limit) as (rows, info):
            pass
    uris = rows["uri"].to_pylist()
    mentions = [uri for table in inputs for uri in table]
    expected = list(dict.fromkeys(mentions))[:limit]
    assert uris == expected
    assert rows["position"].to_pylist() == list(range(len(expected)))
    assert rows["image_id"].to_pylist() == [image_id(uri) for uri in expected]
    # What was known of an image is what its first mention says.
    first = {uri: n for table in reversed(inputs) for n, uri in reversed(list(enumerate(table)))}
    assert rows["size_bytes"].to_pylist() == [first[uri] for uri in expected]
    assert info.num_images == len(expected)
    reached = len(expected) == limit
    seen = mentions.index(expected[-1]) + 1 if reached else len(mentions)
    assert info.num_repeated == seen - len(expected)


# Whatever an Arrow string can hold: surrogates are none.
NAMES = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(NAMES, st.none() | NAMES), max_size=20))
@example(
    [("s3://b/ü ' \" ; -- \\ \n\r\t \u2028 𝒳 e\u0301 \x7f", "a\0b"), ("%00", ""), ("%00", None)]
)
@settings(max_examples=50)
def test_ids_are_those_of_everybody_else(names: list[tuple[str, str | None]]) -> None:
    members = pa.array([member for _, member in names], pa.string())
    table = listed([uri for uri, _ in names]).append_column("member", members)
    with selected([table]) as (rows, _):
        pass
    ids = [image_id(uri, member) for uri, member in names]
    assert rows["image_id"].to_pylist() == list(dict.fromkeys(ids))


def test_a_limit_stops_the_listing() -> None:
    def endless() -> Iterator[Any]:
        for number in itertools.count():
            yield listed([f"{number}a", f"{number}b", "again"])

    with selected(endless(), limit=50) as (rows, info):
        assert (len(rows), info.num_images) == (50, 50)


def test_members_and_offsets_are_kept() -> None:
    members = listed(["a.tar", "a.tar"]).append_column("member", pa.array(["1", "2"]))
    members = members.append_column("offset", pa.array([512, 2048]))
    with selected([members, listed(["a.tar"])]) as (rows, _):
        assert rows["member"].to_pylist() == ["1", "2", None]
        assert rows["offset"].to_pylist() == [512, 2048, None]


def test_what_has_no_version_is_counted() -> None:
    rows = listed(["a", "b", "c", "a"]).set_column(1, "etag", pa.array(["1", None, None, None]))
    now = pa.array([datetime.now(UTC)] * 2 + [None] * 2, pa.timestamp("us", tz="UTC"))
    with selected([rows.set_column(3, "last_modified", now)]) as (_, info):
        assert info.num_unversioned == 1


def test_the_database_is_quiet_bounded_and_downloads_nothing() -> None:
    names = ["enable_progress_bar", "memory_limit", "autoinstall_known_extensions"]
    with open_scratch() as scratch:
        found = [scratch.database.sql(f"SELECT current_setting('{n}')").fetchall() for n in names]
    assert found == [[(False,)], [("953.6 MiB",)], [(False,)]]


def test_a_full_temporary_folder_is_one_clear_line() -> None:
    with pytest.raises(StorageError, match=r"temporary folder .*ufd-ray-\w+: .*give it more room"):
        fill_up()


def fill_up() -> None:
    with open_scratch() as scratch:
        scratch.database.execute("SET max_temp_directory_size='1MB'; SET memory_limit='10MB'")
        scratch.database.execute("SELECT DISTINCT sha256(range::TEXT) FROM range(1_000_000)")


def test_the_stored_manifest(tmp_path: Path) -> None:
    tables = [listed(["a", "b", "a"]), listed(["b", "c"])]
    info = write_manifest(str(tmp_path), tables, OPTIONS)
    assert info == ManifestInfo(
        num_images=3,
        num_repeated=2,
        num_unchanged=0,
        num_older=0,
        older_runs=(),
        num_unversioned=3,
        further=(),
    )
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


@pytest.mark.parametrize("name", ["ordinal", "Ordinal", "IMAGE_ID", "chunk"])
@pytest.mark.parametrize("values", [[0, 0, 0], [7, 8, 9], ["x", "y", "z"]])
def test_a_further_column_may_have_any_name(tmp_path: Path, name: str, values: list[Any]) -> None:
    info = write_manifest(str(tmp_path), [listed(["a", "b", "c"], **{name: values})], OPTIONS)
    assert (info.num_images, info.num_repeated) == (3, 0)
    assert stored(tmp_path)[name].to_pylist() == values


@pytest.mark.parametrize("kind", [pa.decimal256(40, 3), pa.float16()])
def test_a_further_column_may_have_a_type_that_no_database_knows(tmp_path: Path, kind: Any) -> None:
    column = pa.array([1, 2]).cast(pa.float32()).cast(kind)
    write_manifest(str(tmp_path), [listed(["a", "b"], odd=column)], OPTIONS)
    assert stored(tmp_path)["odd"].type == kind


def test_a_further_column_of_two_types_is_refused(tmp_path: Path) -> None:
    tables = [listed(["a"], n=pa.array([1])), listed(["b"], n=pa.array(["1"]))]
    with pytest.raises(SettingsError, match="column 'n' is int64 in one and string in another"):
        write_manifest(str(tmp_path), tables, OPTIONS)
    assert files(tmp_path) == []
