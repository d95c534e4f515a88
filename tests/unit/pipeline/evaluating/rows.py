"""Rows of an evaluation's flow, made by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.schema import LABELS, SCORES

_SCHEMA = pa.schema([*SCORES, *LABELS, pa.field(TEST_SET, pa.string())])


def scored(
    name: str, label: int, neighbors: list[int], similarity: float = 0.9, margin: float | None = 0.1
) -> dict[str, Any]:
    """An image of a set, and the labels of its neighbours."""
    near = [{"label": one, "similarity": similarity - 0.1 * n} for n, one in enumerate(neighbors)]
    return {
        "image_id": f"{name}-{label}",
        "uri": f"/{name}.png",
        "label": label,
        TEST_SET: name,
        "status": "scored",
        "probe_score": 0.25 + 0.5 * label,
        "nn_margin": margin,
        "neighbors": near or None,
    }


def failed(name: str, code: str, label: int = 0) -> dict[str, Any]:
    """An image that could not be read."""
    empty = dict.fromkeys(("probe_score", "nn_margin", "neighbors"))
    return scored(name, label, []) | empty | {"status": "error", "error_code": code}


def table(*rows: dict[str, Any]) -> Any:
    """`pa.Table` of such rows."""
    return pa.Table.from_pylist(list(rows), _SCHEMA)
