"""Rows of a bank, and what all the others say of them, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ufd_ray.detectors.audit import Reason, find_reasons
from ufd_ray.detectors.detection import Search
from ufd_ray.detectors.neighbor_scores import margin, vote
from ufd_ray.errors import StorageError
from ufd_ray.schema import AUDIT
from ufd_ray.storage.vectors import embedding_matrix

_OWN = ("image_id", "uri", "member", "label", "source")
_OTHERS = ("image_id", "uri", "label", "source")


def look_without(rows: Any, search: Search, evidence: Any, k: int) -> Any:
    """Search each row in all the others.

    Args:
        rows: `pa.Table` of n rows of the bank, with `embedding` and the columns that say which
            image each is; all of them are among those that are searched.
        search: what is searched.
        evidence: `pa.Table` of the rows that are searched, in their order: `image_id`, `uri`,
            `label`, `source`.
        k: neighbours to look at, 1 … rows that are searched - 1.

    Returns:
        `pa.Table` of n rows with the columns of `AUDIT`.

    Raises:
        StorageError: a row is not among those that are searched.
    """
    places = _places(rows, evidence)
    found = search.search(embedding_matrix(rows["embedding"]), k, leave_out=places)
    real, fake = _distance(found.real_similarity), _distance(found.fake_similarity)
    known, labels = np.asarray(evidence["label"]), np.asarray(rows["label"])
    reasons, each = find_reasons(labels, known[found.index], real, fake), np.arange(len(rows))
    # The nearest one, or the nearest of the other class where it is that which is said.
    others = known[found.index] != labels[:, None]
    told = np.where(reasons == Reason.DUPLICATE_OF_OTHER_CLASS, others.argmax(axis=1), 0)
    first = evidence.take(pa.array(found.index[each, told]))
    said: dict[str, Any] = {name: rows[name] for name in _OWN}
    said |= {f"nearest_{name}": first[name] for name in _OTHERS}
    said |= {
        "reason": reasons,
        "nearest_similarity": found.similarity[each, told],
        "nn_vote": vote(found, known),
        "nn_margin": margin(found),
        "nn_real_distance": real,
        "nn_fake_distance": fake,
    }
    columns = [_column(said[field.name], field.type) for field in AUDIT]
    return pa.table(columns, schema=pa.schema(AUDIT))


def _places(rows: Any, evidence: Any) -> NDArray[np.int64]:
    """Which of the rows that are searched each row is."""
    found = pc.index_in(rows["image_id"], value_set=evidence["image_id"])
    if found.null_count:
        lost = rows["image_id"].filter(pc.is_null(found))[0]
        raise StorageError(f"image {lost} is not among the rows of its bank that are searched")
    places: NDArray[np.int64] = found.to_numpy().astype(np.int64)
    return places


def _distance(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1.0 - similarity, 0.0)


def _column(values: Any, kind: Any) -> Any:
    if isinstance(values, np.ndarray):
        return pa.array(values, kind, from_pandas=True)
    return values.cast(kind)
