"""Banks and probes made by hand: for tests that need one, but no score that means anything."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ufd_ray.encoders import EncoderIdentity
from ufd_ray.schema import bank_row
from ufd_ray.storage import (
    ProbeFiles,
    StorageOptions,
    embedding_column,
    write_document,
    write_probe,
    write_table,
)

HERE = StorageOptions()
TINY = EncoderIdentity(
    arch="timm/test_resnet",
    weights="random:1",
    preprocess="crop",
    input_size=160,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    dim=8,
    weights_digest="1" * 64,
)
OTHER = replace(TINY, weights="random:2", weights_digest="2" * 64)


def make_bank(
    folder: Path,
    encoder: EncoderIdentity = TINY,
    num_rows: int = 6,
    vectors: npt.NDArray[np.float32] | None = None,
    dtype: str = "float32",
) -> Path:
    """A bank of these vectors, or of random ones, real and fake by turns, kept as `dtype`."""
    if vectors is None:
        vectors = np.random.default_rng(0).normal(size=(num_rows, encoder.dim)).astype(np.float32)
    num_rows = len(vectors)
    ids = [f"{row:032x}" for row in range(num_rows)]
    columns = {
        "image_id": ids,
        "uri": [f"/bank/{name}.png" for name in ids],
        "member": pa.nulls(num_rows, pa.string()),
        "label": [row % 2 for row in range(num_rows)],
        "source": ["by hand"] * num_rows,
        "split": ["train"] * num_rows,
        "view": [0] * num_rows,
        "embedding": embedding_column(vectors.astype(dtype)),
    }
    rows = pa.table(columns).cast(bank_row(encoder.dim, dtype))
    shard = write_table(str(folder), "shards/part-00000.parquet", rows, HERE)
    content: dict[str, Any] = {
        "encoder": encoder.to_dict(),
        "dim": encoder.dim,
        "dtype": dtype,
        "counts": {
            "label": {"0": num_rows - num_rows // 2, "1": num_rows // 2},
            "split": {"train": num_rows},
            "view": {"0": num_rows},
        },
        "shards": [asdict(shard)],
        "num_searchable": num_rows,
    }
    write_document(str(folder), "bank.json", content, HERE)
    return folder


def make_probe(
    folder: Path, encoder: EncoderIdentity = TINY, weight: float = 1.0, dtype: str = "float32"
) -> Path:
    """A probe with the same weight for every number, of embeddings that are kept as `dtype`."""
    weights = np.full(encoder.dim, weight, np.float32)
    probe = ProbeFiles(weights, 0.0, encoder.to_dict(), dtype)
    write_probe(str(folder), probe, HERE)
    return folder
