"""The run before: which one it is, and what of its scores is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.pipeline.reporting.rows import row
from ufd_ray.pipeline.reporting.earlier import find_earlier
from ufd_ray.report import Earlier
from ufd_ray.schema import SCORES
from ufd_ray.storage import StorageOptions, write_document, write_object, write_table

HERE = StorageOptions()
RUN = {
    "run_id": "now",
    "detector_id": "d",
    "started_at": "2024-01-05",
    "detectors": {"decided_by": "probe"},
}


def publish(root: Path, run_id: str, scores: list[float | None], **changes: Any) -> Path:
    folder = root / "runs" / run_id
    rows = pa.Table.from_pylist([row(n, s) for n, s in enumerate(scores)], pa.schema(SCORES))
    file = write_table(str(folder), "scores/part-00000.parquet", rows, HERE)
    content = RUN | {"run_id": run_id, "started_at": "2024-01-01", "files": [file.to_dict()]}
    write_document(str(folder), "run.json", content | changes, HERE)
    write_object(f"{folder}/_SUCCESS", b"", HERE)
    return folder


def test_the_newest_with_the_same_detectors(tmp_path: Path) -> None:
    publish(tmp_path, "old", [0.1])
    publish(tmp_path, "last", [0.1, 0.9, 0.95, None], started_at="2024-01-02")
    publish(tmp_path, "other", [0.1], started_at="2024-01-03", detector_id="e")
    publish(tmp_path, "later", [0.1], started_at="2024-01-06")
    publish(tmp_path, "now", [0.1], started_at="2024-01-05")
    (publish(tmp_path, "unfinished", [0.1], started_at="2024-01-04") / "_SUCCESS").unlink()
    found = find_earlier(str(tmp_path), RUN, HERE)
    assert isinstance(found, Earlier)
    assert (found.run_id, found.started_at, found.num_fake) == ("last", "2024-01-02", 2)
    assert found.histogram.counts.sum() == 3
    assert found.histogram.counts[[2, 18, 19]].tolist() == [1, 1, 1]


@pytest.mark.parametrize("others", [[], ["other"]])
def test_there_may_be_none(tmp_path: Path, others: list[str]) -> None:
    for name in others:
        publish(tmp_path, name, [0.1], detector_id="e")
    assert find_earlier(str(tmp_path), RUN, HERE) == (
        "There is no earlier run here with the same detectors and thresholds."
    )


def test_one_that_cannot_be_read_fails_no_run(tmp_path: Path) -> None:
    folder = publish(tmp_path, "last", [0.1])
    (folder / "scores/part-00000.parquet").write_bytes(b"PAR1 no more")
    assert "cannot be read" in str(find_earlier(str(tmp_path), RUN, HERE))
    (folder / "run.json").write_text("{")
    assert "cannot be read" in str(find_earlier(str(tmp_path), RUN, HERE))
