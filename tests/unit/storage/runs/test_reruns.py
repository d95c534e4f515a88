from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.storage.runs.published import NOON, publish
from ufd_ray.errors import ErrorCode, SettingsError, StorageError
from ufd_ray.schema import DETECTION, OWN_NAMES, STATUS
from ufd_ray.storage import (
    StorageOptions,
    failed_images,
    find_runs,
    image_id,
    scored_images,
    write_manifest,
)

OPTIONS = StorageOptions()
BATCH = pa.field("batch", pa.int64())
KNOWN: dict[str, Any] = {"etag": "e1", "size_bytes": 9, "last_modified": NOON}


def listed(root: Path, run_id: str, rows: list[dict[str, Any]]) -> None:
    """The manifest that such a run would have had."""
    names = ("uri", "member", "offset", "batch", *KNOWN)
    columns = {name: [row.get(name) for row in rows] for name in names}
    table = pa.table({**columns, "member": pa.array(columns["member"], pa.string())})
    write_manifest(str(root / "runs" / run_id / "manifest"), [table], OPTIONS)


def keep(root: Path, run_id: str, *uris: str) -> None:
    """The embeddings that such a run would have kept of these images."""
    folder = root / "runs" / run_id / "embeddings"
    folder.mkdir()
    rows = {"image_id": [image_id(uri) for uri in uris], "embedding": [[1.0]] * len(uris)}
    types = pa.schema([("image_id", pa.string()), ("embedding", pa.list_(pa.float32(), 1))])
    pq.write_table(pa.table(rows, types), folder / "part-00000.parquet", row_group_size=1)


def rows_of(tables: Any) -> list[dict[str, Any]]:
    return [row for table in tables for row in table.to_pylist()]


def test_only_what_failed_for_a_while_is_taken_up_again(tmp_path: Path) -> None:
    rows = [
        {"uri": f"/{code}.png", "error_code": code.value, "status": "error", "batch": 7} | KNOWN
        for code in ErrorCode
    ]
    rows.append({"uri": "/sound.png", "batch": 7} | KNOWN)
    publish(tmp_path, "a", rows, further=[BATCH])
    listed(tmp_path, "a", rows)
    (run,) = find_runs(str(tmp_path), ["a"], "--retry-failed", OPTIONS)
    found = rows_of(failed_images(run, OPTIONS))
    assert [row["uri"] for row in found] == ["/throttled.png", "/timeout.png", "/network.png"]
    assert {row["batch"] for row in found} == {7}


def test_an_object_is_read_as_it_is_by_now_a_member_where_it_was(tmp_path: Path) -> None:
    failed = {"status": "error", "error_code": "timeout"}
    rows = [
        {"uri": "/a.png"} | KNOWN | failed,
        {"uri": "/a.tar", "member": "x.png", "offset": 512} | KNOWN | failed,
    ]
    publish(tmp_path, "a", [{k: v for k, v in r.items() if k != "offset"} for r in rows])
    listed(tmp_path, "a", rows)
    (run,) = find_runs(str(tmp_path), ["a"], "--retry-failed", OPTIONS)
    own, member = rows_of(failed_images(run, OPTIONS))
    assert [own[name] for name in KNOWN] == [None, None, None]
    assert [member[name] for name in KNOWN] == list(KNOWN.values())
    assert (own["offset"], member["offset"]) == (None, 512)


def test_what_became_of_an_image_before_is_not_taken_along(tmp_path: Path) -> None:
    failed = {"uri": "/a.png", "status": "error", "error_code": "timeout", "batch": 7} | KNOWN
    publish(tmp_path, "a", [failed], further=[BATCH])
    keep(tmp_path, "a")
    manifest = str(tmp_path / "runs" / "b" / "manifest")
    runs = find_runs(str(tmp_path), ["a"], "--from-run", OPTIONS)
    write_manifest(manifest, scored_images(runs, OPTIONS), OPTIONS)
    publish(tmp_path, "b", [failed], further=[BATCH], minute=1)
    (run,) = find_runs(str(tmp_path), ["b"], "--retry-failed", OPTIONS)
    (table,) = failed_images(run, OPTIONS)
    assert not {field.name for field in STATUS} & set(table.column_names)
    assert table["batch"].to_pylist() == [7]


def test_nothing_failed_is_no_rows(tmp_path: Path) -> None:
    rows = [{"uri": "/a.png"} | KNOWN]
    publish(tmp_path, "a", rows)
    listed(tmp_path, "a", rows)
    (run,) = find_runs(str(tmp_path), ["a"], "--retry-failed", OPTIONS)
    assert rows_of(failed_images(run, OPTIONS)) == []


def test_images_to_score_again_come_with_what_was_found_newest_run_first(tmp_path: Path) -> None:
    old = {"uri": "/a.png", "content_hash": "old", "verdict": "fake", "probe_logit": 3.0}
    new = {"uri": "/a.png", "content_hash": "new", "format": "PNG", "batch": 1}
    other = {"uri": "/b.png", "status": "error", "error_code": "corrupt"}
    last = {"uri": "/c.png"}
    publish(tmp_path, "z", [old, other, last], minute=1)
    publish(tmp_path, "b", [new], minute=2, further=[BATCH])
    keep(tmp_path, "z", "/a.png", "/c.png")
    keep(tmp_path, "b", "/a.png")
    runs = find_runs(str(tmp_path), ["b", "z"], "--from-run", OPTIONS)
    tables = list(scored_images(runs, OPTIONS))
    found = rows_of(tables)
    assert [(row["uri"], row["content_hash"]) for row in found] == [
        ("/a.png", "new"),
        ("/a.png", "old"),
        ("/b.png", None),
        ("/c.png", None),
    ]
    at = [row["embedding_at"] and row["embedding_at"]["group"] for row in found]
    assert at == [0, 0, None, 1]
    assert found[0]["embedding_at"]["file"].endswith("/runs/b/embeddings/part-00000.parquet")
    names = set(tables[0].column_names)
    assert {field.name for field in STATUS} <= names
    assert not {field.name for field in DETECTION} & names
    # The first mention wins: the newest row of each image.
    info = write_manifest(str(tmp_path / "manifest"), tables, OPTIONS)
    assert (info.num_images, info.num_repeated) == (3, 1)
    assert [field.name for field in info.further if field.name not in OWN_NAMES] == ["batch"]


def test_a_score_without_its_embedding_is_no_input(tmp_path: Path) -> None:
    publish(tmp_path, "a", [{"uri": "/a.png"}, {"uri": "/b.png"}])
    runs = find_runs(str(tmp_path), ["a"], "--from-run", OPTIONS)
    with pytest.raises(StorageError, match=r"kept embeddings .* cannot be read"):
        rows_of(scored_images(runs, OPTIONS))
    keep(tmp_path, "a", "/a.png")
    with pytest.raises(StorageError, match=r"no embedding is kept of /b\.png, which was scored"):
        rows_of(scored_images(runs, OPTIONS))


def test_a_run_that_is_not_published_is_named(tmp_path: Path) -> None:
    publish(tmp_path, "a", [])
    publish(tmp_path, "b", [], success=False)
    for missing in ("b", "c"):
        with pytest.raises(SettingsError, match=f"--from-run {missing}: no published run"):
            find_runs(str(tmp_path), ["a", missing], "--from-run", OPTIONS)
