"""The columns of every table that the project writes, with their Arrow types.

Other people's queries rest on these names, types and this order; a test holds them.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

FORMAT_VERSION = 1
"""Version of the folder formats (run, bank, probe); raised when a reader of the old would err."""

REAL, FAKE = 0, 1
"""Values of a label."""

TIMESTAMP: Any = pa.timestamp("us", tz="UTC")

POSITION: Any = pa.field("position", pa.int64(), nullable=False)
"""An image's place in its run's manifest, 0 … n-1: what the accounts go by."""

IMAGE: tuple[Any, ...] = (
    pa.field("image_id", pa.string(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("member", pa.string()),
    pa.field("etag", pa.string()),
    pa.field("size_bytes", pa.int64()),
    pa.field("last_modified", TIMESTAMP),
)
"""Which image a row is about, and what the listing knew of it."""

STATUS: tuple[Any, ...] = (
    pa.field("status", pa.string()),
    pa.field("error_code", pa.string()),
    pa.field("error_message", pa.string()),
    pa.field("content_hash", pa.string()),
    pa.field("duplicate_of", pa.string()),
    pa.field("format", pa.string()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
)
"""What became of it on the way to pixels."""

NEIGHBOR: Any = pa.struct(
    [
        pa.field("image_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("label", pa.int8()),
        pa.field("source", pa.string()),
        pa.field("similarity", pa.float32()),
    ]
)

DETECTION: tuple[Any, ...] = (
    pa.field("probe_logit", pa.float32()),
    pa.field("probe_score", pa.float32()),
    pa.field("probe_probability", pa.float32()),
    pa.field("nn_vote", pa.float32()),
    pa.field("nn_margin", pa.float32()),
    pa.field("nn_real_distance", pa.float32()),
    pa.field("nn_fake_distance", pa.float32()),
    pa.field("out_of_bank", pa.bool_()),
    pa.field("neighbors", pa.list_(NEIGHBOR)),
    pa.field("verdict", pa.string()),
)
"""What the detectors said."""

DECIDING = {"probe": "probe_score", "neighbors": "nn_vote", "margin": "nn_margin"}
"""Which column decides: a verdict is `fake` where it is over the run's threshold."""

SCORES: tuple[Any, ...] = (*IMAGE, *STATUS, *DETECTION)
"""The columns of `scores/`; the manifest's further columns follow them."""

LABELS: tuple[Any, ...] = (
    pa.field("label", pa.int8()),
    pa.field("source", pa.string()),
    pa.field("split", pa.string()),
)
"""Further columns of a manifest that mean something here; others are carried through."""

OFFSET: Any = pa.field("offset", pa.int64())
"""Where a tar member's bytes begin in its tar; null for all other images."""

EMBEDDING_AT: Any = pa.field(
    "embedding_at",
    pa.struct(
        [
            pa.field("file", pa.string()),
            pa.field("version", pa.string()),
            pa.field("group", pa.int32()),
            pa.field("row", pa.int64()),
        ]
    ),
)
"""Where an image's embedding is stored: Parquet file, its version as listed, row group, row in it.
A column of manifests whose runs read embeddings; null for an image that has none."""

MANIFEST: tuple[Any, ...] = (POSITION, *IMAGE, OFFSET)

OWN_NAMES = frozenset(
    {field.name for field in (POSITION, *SCORES, OFFSET, EMBEDDING_AT)}
    | {"data", "pixels", "embedding"}
    | {"view_pixels", "view_embeddings"}
    | {"traits", "aligned_traits", "form_scores"}
)
"""Names of our own in a run's tables: no column that is carried through has one of them."""

REJECTS: tuple[Any, ...] = (*IMAGE, *(field for field in STATUS if field.name != "duplicate_of"))
"""Columns of a bank's `rejects.parquet`: the images that are not in it, with the reason."""

AUDIT: tuple[Any, ...] = (
    pa.field("image_id", pa.string(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("member", pa.string()),
    pa.field("label", pa.int8(), nullable=False),
    pa.field("source", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("nearest_image_id", pa.string()),
    pa.field("nearest_uri", pa.string()),
    pa.field("nearest_label", pa.int8()),
    pa.field("nearest_source", pa.string()),
    pa.field("nearest_similarity", pa.float32()),
    pa.field("nn_vote", pa.float32()),
    pa.field("nn_margin", pa.float32()),
    pa.field("nn_real_distance", pa.float32()),
    pa.field("nn_fake_distance", pa.float32()),
)
"""Columns of a bank's `audit.parquet`: its rows, and what all the others say of each."""

EVALUATED: tuple[Any, ...] = (
    pa.field("image_id", pa.string(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("member", pa.string()),
    pa.field("set", pa.string(), nullable=False),
    pa.field("label", pa.int8(), nullable=False),
)
"""Columns of an evaluation's `scores.parquet`; a column of float32 for each detector follows."""

MEAN_MARGIN = "nn_mean_margin_k"
"""With the number of neighbours of each class behind it, the column of their mean margin."""

METRICS: tuple[Any, ...] = (
    pa.field("set", pa.string(), nullable=False),
    pa.field("detector", pa.string(), nullable=False),
    pa.field("metric", pa.string(), nullable=False),
    pa.field("value", pa.float64(), nullable=False),
    pa.field("low", pa.float64()),
    pa.field("high", pa.float64()),
    pa.field("n_real", pa.int64(), nullable=False),
    pa.field("n_fake", pa.int64(), nullable=False),
)
"""Columns of an evaluation's `metrics.parquet`: a row for each figure."""

SWEEPS: tuple[Any, ...] = (
    pa.field("sweep", pa.string(), nullable=False),
    pa.field("setting", pa.string(), nullable=False),
    *METRICS,
)
"""Columns of its `sweeps.parquet`: a row for each figure at each setting of a sweep."""


def bank_row(dim: int, dtype: str) -> Any:
    """Schema of a bank's shards.

    Args:
        dim: numbers in an embedding.
        dtype: `float32` or `float16`, the stored precision.
    """
    value = {"float32": pa.float32(), "float16": pa.float16()}[dtype]
    return pa.schema(
        [
            pa.field("image_id", pa.string(), nullable=False),
            pa.field("uri", pa.string(), nullable=False),
            pa.field("member", pa.string()),
            pa.field("label", pa.int8(), nullable=False),
            pa.field("source", pa.string()),
            pa.field("split", pa.string(), nullable=False),
            pa.field("view", pa.int16(), nullable=False),
            pa.field("embedding", pa.list_(value, dim), nullable=False),
        ]
    )
