"""Small published runs on a disk, as `score` would have left them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.schema import FORMAT_VERSION, SCORES
from ufd_ray.storage import image_id

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def publish(
    root: Path,
    run_id: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    further: Sequence[Any] = (),
    minute: int = 0,
    detector_id: str | None = "detector",
    rows_per_file: int = 3,
    success: bool = True,
) -> Path:
    """Write a run that started so many minutes after noon.

    Args:
        root: what `--output` would name.
        run_id: its name.
        rows: `uri` and whatever else is not null; scored unless they say otherwise.
        further: fields of further columns.
        minute: when it started.
        detector_id: None: as a release that recorded none.
        rows_per_file: rows in one file of scores.
        success: whether it ends with `_SUCCESS`.
    """
    folder = root / "runs" / run_id
    (folder / "scores").mkdir(parents=True)
    schema = pa.schema([*SCORES, *further])
    filled = [
        {"image_id": image_id(row["uri"], row.get("member")), "status": "scored", **row}
        for row in rows
    ]
    table = pa.Table.from_pylist(filled, schema=schema)
    files = []
    for start in range(0, max(len(table), 1), rows_per_file):
        name = f"scores/part-{len(files):05d}.parquet"
        pq.write_table(table.slice(start, rows_per_file), folder / name)
        files.append({"name": name})
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "run_id": run_id,
        "started_at": (NOON + timedelta(minutes=minute)).isoformat(timespec="seconds"),
        "files": [*files, {"name": "embeddings/part-00000.parquet"}],
    }
    if detector_id is not None:
        document["detector_id"] = detector_id
    (folder / "run.json").write_text(json.dumps(document))
    if success:
        (folder / "_SUCCESS").touch()
    return folder
