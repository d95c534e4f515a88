"""Runs to prune, and what is left of them."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.unit.storage.runs.whole import at_day, change, publish_whole
from ufd_ray.storage import (
    PruningPolicy,
    StorageOptions,
    prune,
)

OPTIONS = StorageOptions()

NOW = at_day(100)


def images(*names: str, **row: Any) -> list[dict[str, Any]]:
    return [{"uri": name, **row} for name in names]


def pruned(root: Path, policy: PruningPolicy, now: datetime = NOW) -> list[str]:
    said: list[str] = []
    prune(str(root), policy, OPTIONS, now, said.append)
    return said


def left(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "runs").iterdir())


def make_silent(folder: Path, day: float) -> None:
    """Let the last sign of life of a run be of this day."""
    moment = at_day(day).timestamp()
    for path in folder.rglob("*"):
        os.utime(path, (moment, moment))


def begun(root: Path, run_id: str, day: float, **facts: Any) -> Path:
    """A run whose driver died long ago."""
    folder = publish_whole(root, run_id, images("a"), success=False)
    change(folder, **{"outcome": "running", **facts})
    (folder / "parts").mkdir()
    (folder / "parts" / "1_000.parquet").write_bytes(b"rows")
    (folder / "lease").mkdir()
    facts = {"holder": "gone", "lease_s": 0.02, "released": False}
    (folder / "lease" / "00000003.json").write_text(json.dumps(facts))
    make_silent(folder, day)
    return folder
