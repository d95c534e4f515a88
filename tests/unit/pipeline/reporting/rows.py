"""Rows of a run, made by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from ufd_ray.schema import LABELS, POSITION, SCORES
from ufd_ray.storage import image_id

SCHEMA = pa.schema([POSITION, *SCORES, *LABELS])
DETECTORS: dict[str, Any] = {
    "decided_by": "probe",
    "threshold": 0.5,
    "bank": "/bank",
    "probe": "/probe",
    "probe_thresholds": {"default": None},
}


def row(position: int, score: float | None, *, vote: float = 0.0, **changes: Any) -> dict[str, Any]:
    """An image's row; without a score, it failed."""
    uri = changes.pop("uri", f"s3://crawl/{position}.png")
    own = {
        "position": position,
        "image_id": image_id(uri, changes.get("member")),
        "uri": uri,
        "status": "error" if score is None else "scored",
        "probe_score": score,
        "nn_vote": None if score is None else vote,
        "nn_margin": None if score is None else vote - 0.5,
        "verdict": None if score is None else "fake" if score > 0.5 else "real",
    }
    return own | changes


def table(*rows: dict[str, Any]) -> Any:
    return pa.Table.from_pylist(list(rows), SCHEMA)
