"""What was said of embeddings, as the columns `DETECTION` of a table of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ufd_ray.detectors.detection import Detected
from ufd_ray.detectors.neighbors import Embeddings
from ufd_ray.schema import DETECTION, MEAN_MARGIN, NEIGHBOR
from ufd_ray.storage.vectors import embedding_matrix

_EVIDENCE = ("image_id", "uri", "label", "source")


@dataclass(frozen=True, eq=False)
class Searchable:
    """What neighbours are searched in: n labelled embeddings.

    Attributes:
        embeddings: (n, d) float32 or float16.
        labels: (n,) int8, 0 real, 1 fake.
        image_ids: (n,) str.
    """

    embeddings: Embeddings
    labels: NDArray[np.int8]
    image_ids: NDArray[np.str_]


def searchable(bank: Any) -> Searchable:
    """What neighbours are searched in, without a copy of the embeddings.

    Args:
        bank: `pa.Table` with `image_id`, `label` and `embedding`, as `read_searchable` gives it.
    """
    return Searchable(
        embedding_matrix(bank["embedding"]),
        np.asarray(bank["label"], np.int8),
        np.asarray(bank["image_id"].to_pylist(), np.str_),
    )


def detection_columns(
    found: Detected, scored: NDArray[np.bool_], evidence: Any = None
) -> list[tuple[Any, Any]]:
    """Field and column for each of `DETECTION`, then for the mean margins that there are.

    Null where nothing was said.

    Args:
        found: what was said.
        scored: (n,), which of n images it was said of, in order.
        evidence: `pa.Table` with `image_id`, `uri`, `label` and `source` of the rows that were
            searched, in their order; None: none were.
    """
    values: dict[str, Any] = dict(found.columns)
    if found.neighbor_rows is not None and found.neighbor_similarity is not None:
        values["neighbors"] = _evidence(found.neighbor_rows, found.neighbor_similarity, evidence)
    columns = []
    means = [pa.field(name, pa.float32()) for name in values if name.startswith(MEAN_MARGIN)]
    for field in (*DETECTION, *means):
        if field.name in values:
            column = pa.array(values[field.name], field.type, from_pandas=True)
            columns.append((field, _spread(column, scored)))
        else:
            columns.append((field, pa.nulls(len(scored), field.type)))
    return columns


def _evidence(index: NDArray[np.int64], similarity: NDArray[np.float64], evidence: Any) -> Any:
    rows = evidence.select(_EVIDENCE).take(pa.array(index.reshape(-1)))
    columns = [rows[name].combine_chunks() for name in _EVIDENCE]
    columns.append(pa.array(similarity.reshape(-1), pa.float32()))
    structs = pa.StructArray.from_arrays(columns, fields=list(NEIGHBOR))
    num, k = index.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(num + 1, dtype=np.int32) * k), structs)


def _spread(values: Any, which: NDArray[np.bool_]) -> Any:
    """One value for each row of these → one for each row, null between."""
    return values.take(pa.array(np.cumsum(which) - 1, mask=~which))
