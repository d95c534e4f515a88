"""Published runs on a real S3 server: verified, pruned, exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.s3.test_history import upload
from tests.servers.s3 import S3Server
from tests.unit.storage.runs.whole import at_day, publish_whole
from ufd_ray.errors import StorageError
from ufd_ray.storage import (
    Choice,
    PruningPolicy,
    StorageOptions,
    export_current,
    export_runs,
    find_runs,
    list_folder,
    plan_pruning,
    prune,
    verify_current,
    verify_runs,
    write_current,
)
from ufd_ray.storage.objects import delete_object, read_object, write_object
from ufd_ray.storage.runs.history import ScoreFiles
from ufd_ray.storage.scratch import open_scratch

OPTIONS = StorageOptions()


def rows(*names: str) -> list[dict[str, object]]:
    return [{"uri": name, "verdict": "fake", "probe_score": 0.9} for name in names]


@pytest.fixture
def root(tmp_path: Path, bucket: str, s3_env: dict[str, str]) -> str:
    """Three runs, of which the first has been superseded."""
    publish_whole(tmp_path, "a", rows("1", "2"), embeddings=True)
    publish_whole(tmp_path, "b", rows("1", "3"), day=1, embeddings=True)
    publish_whole(tmp_path, "c", rows("2", "=4"), day=90)
    upload(tmp_path, f"s3://{bucket}/deep")
    return f"s3://{bucket}/deep"


def names(root: str) -> list[str]:
    return [uri.removeprefix(f"{root}/") for uri in list_folder(root, OPTIONS)]


def test_faults_are_found(root: str) -> None:
    write_current(root, 100, OPTIONS)
    assert [found.faults for found in verify_runs(root, [], OPTIONS)] == [(), (), ()]
    assert verify_current(root, OPTIONS).faults == ()
    write_object(f"{root}/runs/b/scores/part-00007.parquet", b"x", OPTIONS)
    delete_object(f"{root}/runs/c/scores/part-00000.parquet", OPTIONS)
    a, b, c = verify_runs(root, [], OPTIONS)
    assert (a.faults, c.faults) == ((), ("scores/part-00000.parquet: it is gone",))
    assert b.faults[0].startswith("scores/part-00007.parquet: run.json does not name it")


def test_old_runs_and_embeddings_go_and_nothing_else(root: str, s3_server: S3Server) -> None:
    bucket = root.split("/")[2]
    # Names that no file system and no store of ours would take.
    for key in ("deep/runs/a//odd", "deep/runs/a/../x", "deep/runs/mine/note.txt"):
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=b"mine")
    policy, now = PruningPolicy(runs=30, embeddings=30, unfinished=1), at_day(100)
    said: list[str] = []
    planned = plan_pruning(root, policy, OPTIONS, now)
    prune(root, policy, OPTIONS, now, said.append)
    assert said == planned.lines()
    assert "2 files that are not ours stay" in said[-3]
    client = s3_server.client()
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]
    for run, folder in (("a", ""), ("b", "embeddings/")):
        assert not [
            key for key in keys if key.startswith(f"deep/runs/{run}/{folder}")
            and not key.endswith(("//odd", "/../x"))
        ]  # fmt: skip
    assert {"deep/runs/a//odd", "deep/runs/a/../x", "deep/runs/mine/note.txt"} <= {*keys}
    assert not any("/lease/" in key for key in keys)
    assert [found.faults for found in verify_runs(root, [], OPTIONS)] == [(), ()]
    record = json.loads(read_object(f"{root}/runs/b/run.json", OPTIONS))
    assert record["embeddings_pruned"]["num_files"] == 1
    assert not plan_pruning(root, policy, OPTIONS, now).removals


def test_flagged_images_are_written_whole_beside_the_runs(root: str) -> None:
    to = f"{root}/queue/flagged"
    assert export_runs(root, ["b", "c"], Choice(), f"{to}.jsonl", OPTIONS).num_images == 4
    lines = read_object(f"{to}.jsonl", OPTIONS).decode().splitlines()
    assert {json.loads(line)["uri"] for line in lines} == {"1", "2", "3", "=4"}
    write_current(root, 100, OPTIONS)
    assert export_current(root, Choice(), f"{to}.csv", OPTIONS).num_images == 4
    assert b'"\'=4"' in read_object(f"{to}.csv", OPTIONS)


def test_who_reads_what_is_deleted_meanwhile_is_told_so(root: str) -> None:
    runs = find_runs(root, ["a"], "--run-id", OPTIONS)
    files = ScoreFiles(root, runs, OPTIONS)
    prune(root, PruningPolicy(runs=30), OPTIONS, at_day(100), lambda line: None)
    told = "if runs were pruned meanwhile, start again"
    with pytest.raises(StorageError, match=told), files.clear_errors():
        files.scan(["image_id"]).read_all()
    with (  # and through DuckDB, which has words of its own
        pytest.raises(StorageError, match=told),
        files.clear_errors(),
        open_scratch() as scratch,
        scratch.named("gone", files.scan(["image_id"])),
    ):
        scratch.database.execute("CREATE TABLE rows AS FROM gone")
