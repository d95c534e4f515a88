"""Rows of images → rows of a bank, of which there is one for each view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ufd_ray.schema import bank_row


def bank_shard(images: Any, dim: int, dtype: str) -> Any:
    """A bank's rows, an image's views one after the other: 0, the image itself, then 1, 2, ….

    Args:
        images: `pa.Table` with `embedding` in every row, `label`, `split`, perhaps `source`, and
            perhaps `view_embeddings`, lists of any length.
        dim: numbers in an embedding.
        dtype: `float32` or `float16`.
    """
    names = ("image_id", "uri", "member", "label", "source", "split")
    nothing = pa.nulls(len(images), pa.string())
    columns = {name: images[name] if name in images.column_names else nothing for name in names}
    embeddings = [_one_chunk(images["embedding"])]
    num_views = np.zeros(len(images), np.int64)
    if "view_embeddings" in images.column_names:
        lists = _one_chunk(images["view_embeddings"])
        embeddings.append(lists.flatten())
        num_views = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    num_rows = 1 + num_views
    image = np.repeat(np.arange(len(images)), num_rows)
    view = np.arange(len(image)) - np.repeat(np.cumsum(num_rows) - num_rows, num_rows)
    # All views lie behind all images: of those before a row's own, so many are other images'.
    behind = len(images) + np.repeat(np.cumsum(num_views) - num_views, num_rows) + view - 1
    place = np.where(view == 0, image, behind)
    schema = bank_row(dim, dtype)
    table = pa.table(columns).take(pa.array(image))
    table = table.append_column("view", pa.array(view.astype(np.int16)))
    joined = pa.concat_arrays(embeddings).take(pa.array(place))
    return table.append_column("embedding", joined).select(schema.names).cast(schema)


def _one_chunk(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
