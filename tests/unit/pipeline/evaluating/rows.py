"""Rows of an evaluation's flow, made by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.crawl.handmade import TINY
from ufd_ray.encoders import EncoderSpec
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.pipeline.reading import TRAITS
from ufd_ray.schema import LABELS, MEAN_MARGIN, SCORES

PLAN = EncoderPlan(EncoderSpec(TINY.arch, TINY.weights), "crop", None, "cpu", "fp32", "float32")
"""Of an encoder that is not loaded."""
_MEANS = tuple(f"{MEAN_MARGIN}{k}" for k in (1, 3))
_SCHEMA = pa.schema(
    [
        *(*SCORES, *LABELS, pa.field(TEST_SET, pa.string())),
        *(pa.field(name, pa.float32()) for name in _MEANS),
    ]
)
_TRAITS = pa.schema([pa.field(name, TRAITS) for name in ("traits", "aligned_traits")])


def scored(
    name: str, label: int, neighbors: list[int], similarity: float = 0.9, margin: float | None = 0.1
) -> dict[str, Any]:
    """An image of a set, the labels of its neighbours, and the margin, as every mean has it."""
    near = [{"label": one, "similarity": similarity - 0.1 * n} for n, one in enumerate(neighbors)]
    return {
        "image_id": f"{name}-{label}",
        "uri": f"/{name}.png",
        "label": label,
        TEST_SET: name,
        "status": "scored",
        "probe_score": 0.25 + 0.5 * label,
        **dict.fromkeys(("nn_margin", *_MEANS), margin),
        "neighbors": near or None,
    }


def failed(name: str, code: str, label: int = 0) -> dict[str, Any]:
    """An image that could not be read."""
    empty = dict.fromkeys(("probe_score", "nn_margin", "neighbors", *_MEANS))
    return scored(name, label, []) | empty | {"status": "error", "error_code": code}


def table(*rows: dict[str, Any]) -> Any:
    """`pa.Table` of such rows."""
    return pa.Table.from_pylist(list(rows), _SCHEMA)


def table_with_traits(rows: list[dict[str, Any]], *columns: str) -> Any:
    """The same with columns of traits: each row has its own."""
    fields = [_TRAITS.field(name) for name in columns]
    return pa.Table.from_pylist(rows, pa.schema([*_SCHEMA, *fields]))


def traits(kind: str, num_bytes: int) -> dict[str, Any]:
    """Of a file in this format, all else being equal."""
    return {
        **{"format": kind, "width": 64, "height": 64, "num_bytes": num_bytes},
        **dict.fromkeys(("quality", "tables", "sampling"), 0),
        **dict.fromkeys(("is_progressive", "has_exif", "has_icc", "has_xmp", "has_others"), False),
    }
