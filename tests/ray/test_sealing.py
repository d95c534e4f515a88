"""A driver killed between its last `run.json` and `_SUCCESS`: the next one seals the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.crawl.fixtures import Crawled, Trained
from tests.crawl.plain import K
from tests.crawl.runs import Ended, read_folder, run_here
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings


@pytest.fixture
def root(disk_run: Crawled, tmp_path: Path) -> Path:
    """The crawl's run, without its last word, and with some of what only the work needed."""
    run = tmp_path / "runs" / "whole"
    left_over = {
        "parts/1-0.parquet": b"x",
        "checkpoint/1.parquet": b"x",
        "lease/00000009.json": b"{}",
    }
    for name, data in (disk_run.run.files | left_over).items():
        file = run / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (run / "_SUCCESS").unlink()
    return tmp_path


def submit(crawled: Crawled, trained: Trained, root: Path) -> Ended:
    flags = [f"--input={uri}" for uri in crawled.crawl.inputs]
    flags += ["--bank", str(trained.bank), "--probe", str(trained.probe), "--k", str(K)]
    flags += ["--output", str(root), "--run-id", "whole", "--keep-embeddings", "--lease-s", "0.2"]
    flags += ["--max-error-rate", "0"]
    return run_here(ScoreSettings, score, *flags)


def test_it_is_sealed_as_it_is(disk_run: Crawled, trained: Trained, root: Path) -> None:
    ended = submit(disk_run, trained, root)
    assert ended.status == disk_run.run.ended.status, ended.err
    assert "run whole has been published already" in ended.out
    assert read_folder(root / "runs" / "whole") == disk_run.run.files


def test_not_if_a_file_is_damaged(disk_run: Crawled, trained: Trained, root: Path) -> None:
    scores = root / "runs" / "whole" / "scores" / "part-00001.parquet"
    scores.write_bytes(scores.read_bytes()[:-1])
    ended = submit(disk_run, trained, root)
    assert ended.status == 1
    assert "scores/part-00001.parquet was written with" in ended.err
    assert not (root / "runs" / "whole" / "_SUCCESS").exists()


@pytest.mark.slow
def test_not_if_it_failed_after_all(disk_run: Crawled, trained: Trained, root: Path) -> None:
    path = root / "runs" / "whole" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"outcome": "failed"}))
    for leftover in ("parts/1-0.parquet", "checkpoint/1.parquet"):
        (path.parent / leftover).unlink()
    ended = submit(disk_run, trained, root)
    assert ended.status == disk_run.run.ended.status, ended.err
    assert "goes on where it stopped" in ended.out
    document = json.loads(path.read_text())
    assert (document["num_attempts"], document["rows_reused"]) == (2, 0)
    assert document["counts"] == disk_run.run.json["counts"]
