from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ufd_ray.pipeline.banking.shard import bank_shard
from ufd_ray.schema import bank_row
from ufd_ray.storage import embedding_column

DIM = 3


def images(num_views: list[int], dtype: str) -> Any:
    """Image i has the embedding (i, 0, 0), its view v (i, v, 0)."""
    num_images = len(num_views)
    own = np.array([[i, 0, 0] for i in range(num_images)]).reshape(-1, DIM)
    others = np.array(
        [[i, view, 0] for i, num in enumerate(num_views) for view in range(1, num + 1)]
    ).reshape(-1, DIM)
    ends = pa.array(np.cumsum([0, *num_views]), pa.int32())
    return pa.table(
        {
            "image_id": [f"id {i}" for i in range(num_images)],
            "uri": [f"/{i}.png" for i in range(num_images)],
            "member": pa.nulls(num_images, pa.string()),
            "label": pa.array([i % 2 for i in range(num_images)], pa.int8()),
            "split": ["val" if num == 1 else "train" for num in num_views],
            "embedding": embedding_column(own.astype(dtype)),
            "view_embeddings": pa.ListArray.from_arrays(
                ends, embedding_column(others.astype(dtype))
            ),
        }
    )


def check(shard: Any, num_views: list[int], dtype: str) -> None:
    assert shard.schema.equals(bank_row(DIM, dtype))
    expected = [(i, view) for i, num in enumerate(num_views) for view in range(num + 1)]
    assert [(row["image_id"], row["view"]) for row in shard.to_pylist()] == [
        (f"id {i}", view) for i, view in expected
    ]
    assert [row["embedding"] for row in shard.to_pylist()] == [[i, view, 0] for i, view in expected]
    assert shard["label"].to_pylist() == [i % 2 for i, _ in expected]
    assert shard["split"].to_pylist() == [
        "val" if num_views[i] == 1 else "train" for i, _ in expected
    ]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("num_views", [[2, 1, 3, 2], [0, 0], [1], []])
def test_every_view_is_a_row_behind_its_image(num_views: list[int], dtype: str) -> None:
    check(bank_shard(images(num_views, dtype), DIM, dtype), num_views, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_also_after_storage_and_without_the_images_that_failed(dtype: str) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(images([2, 9, 1, 3, 9], dtype), sink, row_group_size=2)
    stored = pq.read_table(pa.BufferReader(sink.getvalue()))
    kept = stored.filter(pa.array([True, False, True, True, False]))
    shard = bank_shard(kept, DIM, dtype)
    assert shard["view"].to_pylist() == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert [row[:2] for row in shard["embedding"].to_pylist()] == [
        *([0, 0], [0, 1], [0, 2]),
        *([2, 0], [2, 1]),
        *([3, 0], [3, 1], [3, 2], [3, 3]),
    ]


def test_without_views_there_is_view_0() -> None:
    rows = images([0, 0, 0], "float32").drop_columns(["view_embeddings"])
    check(bank_shard(rows, DIM, "float32"), [0, 0, 0], "float32")
