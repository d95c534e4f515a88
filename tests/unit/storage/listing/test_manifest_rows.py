"""What the rows of a manifest name: files, members of containers, labels, columns of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.storage.listing.input_tables import (
    LISTED,
    OPTIONS,
    as_json_lines,
    names_below,
    parquet,
    read,
    refused,
)
from ufd_ray.errors import SettingsError
from ufd_ray.storage import Inputs
from ufd_ray.storage.listing.named_images import named_images


def test_a_local_file_in_a_manifest_from_a_bucket_is_refused() -> None:
    table = pa.table({"uri": ["s3://b/a.jpg", "/etc/passwd"]})
    rows = named_images("s3://b/list.csv", [table], ignored=set(), allow_http=False)
    with pytest.raises(SettingsError, match="row 2: a local file"):
        list(rows)


def test_relative_names_are_meant_from_where_the_manifest_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.txt").write_text("a.jpg\nx/100%.jpg\n/abs.jpg\ns3://b/c.jpg\n")
    here = f"{tmp_path}/lists"
    expected = [f"{here}/a.jpg", f"{here}/x/100%.jpg", "/abs.jpg", "s3://b/c.jpg"]
    monkeypatch.chdir(tmp_path)
    for spelling in (f"{here}/list.txt", "lists/list.txt", f"file://{here}/list.txt"):
        assert read(spelling)["uri"].to_pylist() == expected


def test_relative_names_from_a_folder_that_is_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no names but UTF-8")
    (folder / "list.txt").write_text("a b.jpg\n")
    assert read(folder / "list.txt")["uri"].to_pylist() == [f"file://{tmp_path}/%FF/a%20b.jpg"]


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["real", "fake", "REAL", "Fake", "0", "1", None], [0, 1, 0, 1, 0, 1, None]),
        ([0, 1, None], [0, 1, None]),
        ([0.0, 1.0, None], [0, 1, None]),
    ],
)
def test_words_for_labels(tmp_path: Path, words: list[Any], labels: list[int | None]) -> None:
    manifest = tmp_path / "list.parquet"
    uris = [f"/{n}" for n in range(len(words))]
    manifest.write_bytes(parquet(pa.table({"uri": uris, "label": words})))
    table = read(manifest)
    assert table["label"].type == pa.int8()
    assert table["label"].to_pylist() == labels


@pytest.mark.parametrize("label", ["maybe", 2, -1, 0.5, True, ""])
def test_other_words_are_refused(tmp_path: Path, label: Any) -> None:
    manifest = tmp_path / "list.parquet"
    manifest.write_bytes(parquet(pa.table({"uri": ["/a"], "label": [label]})))
    message = refused(manifest)
    assert message.endswith(f"label {str(label).lower()!r}; expected 0 or real, 1 or fake")


def test_the_scores_own_columns_are_named_as_ignored(tmp_path: Path) -> None:
    manifest = tmp_path / "list.jsonl"
    own = ["verdict", "width", "position", "image_id", "embedding", "pixels", "data"]
    manifest.write_bytes(as_json_lines([{"uri": "/a", "mine": 1} | dict.fromkeys(own, "x")]))
    inputs = Inputs([str(manifest)])
    (table,) = inputs.tables(OPTIONS)
    assert set(table.column_names) == {*LISTED, "mine"}
    assert inputs.ignored_columns == set(own)


def test_a_manifest_may_name_members_of_containers(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,member,offset\nx.tar,1.jpg,512\nx.parquet,007,\nx.jpg,,\n")
    table = read(manifest)
    assert names_below(tmp_path, table) == ["x.tar", "x.parquet", "x.jpg"]
    assert table["member"].to_pylist() == ["1.jpg", "007", None]
    assert table["offset"].to_pylist() == [512, None, None]


def test_members_of_anything_else_are_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,member\ns3://b/x.tar,1.jpg\ns3://b/x.zip,1.jpg\n")
    assert "`member` names images in s3://b/x.zip; expected a .tar" in refused(manifest)


def test_an_offset_without_members_is_somebody_elses(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("uri,offset\n/a.jpg,far away\n")
    inputs = Inputs([str(manifest)])
    (table,) = inputs.tables(OPTIONS)
    assert table["offset"].to_pylist() == [None]
    assert inputs.ignored_columns == {"offset"}
