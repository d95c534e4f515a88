"""Published runs whose records say everything that a real one's say."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.unit.storage.runs.published import NOON, publish
from ufd_ray.storage import StorageOptions, write_manifest

DAY_MINUTES = 24 * 60


def publish_whole(
    root: Path,
    run_id: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    day: int = 0,
    embeddings: bool = False,
    facts: Mapping[str, Any] | None = None,
    **further: Any,
) -> Path:
    """Write a run with manifest, checksums and counts, that began and finished on this day.

    Args:
        root: what `--output` would name.
        run_id: its name.
        rows: as for `publish`.
        day: days after `NOON`.
        embeddings: whether it kept any.
        facts: what else `run.json` says.
        further: as for `publish`.
    """
    folder = publish(root, run_id, rows, minute=day * DAY_MINUTES, **further)
    listed = [{"uri": row["uri"], "member": row.get("member")} for row in rows]
    columns = pa.schema([("uri", pa.string()), ("member", pa.string())])
    table = pa.Table.from_pylist(listed, schema=columns)
    write_manifest(str(folder / "manifest"), [table], StorageOptions())
    if embeddings:
        (folder / "embeddings").mkdir()
        kept = pa.table({"content_hash": ["00" * 32], "embedding": [[1.0]]})
        pq.write_table(kept, folder / "embeddings" / "part-00000.parquet")
    (folder / "report.html").write_text("<h1>Run</h1>")
    counts = {
        f"by_{name}": dict(Counter(row[name] for row in filled(rows) if row.get(name)))
        for name in ("status", "error_code", "verdict")
    }
    duplicates = sum(bool(row.get("duplicate_of")) for row in rows)
    document = json.loads((folder / "run.json").read_text()) | {
        "outcome": "published",
        "finished_at": at_day(day).isoformat(timespec="seconds"),
        "manifest": {"num_images": len(rows)},
        "counts": {"images": len(rows), **counts, "duplicates": duplicates},
        "detectors": {"decided_by": "probe"},
        "files": [
            described(folder, path)
            for part in ("scores", "embeddings")
            for path in sorted((folder / part).glob("*.parquet"))
        ],
    }
    (folder / "run.json").write_text(json.dumps(document | dict(facts or {})))
    return folder


def filled(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [{"status": "scored", **row} for row in rows]


def described(folder: Path, path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {
        "name": path.relative_to(folder).as_posix(),
        "num_rows": pq.read_metadata(path).num_rows,
        "sha256": hashlib.sha256(data).hexdigest(),
        "num_bytes": len(data),
    }


def at_day(day: float) -> datetime:
    """The moment so many days after `NOON`."""
    return NOON + timedelta(days=day)


def change(folder: Path, **facts: Any) -> None:
    """Let `run.json` say something else."""
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def everything(root: Path) -> dict[str, bytes]:
    """All files below a folder, by name."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
