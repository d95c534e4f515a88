"""The stage that turns embeddings into scores: probe and nearest neighbours, then the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from ufd_ray.detectors import OVERFLOWS, Detector, detection_columns
from ufd_ray.errors import UfdError
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import put, put_errors
from ufd_ray.pipeline.searching import OpenSearch
from ufd_ray.schema import POSITION, SCORES
from ufd_ray.storage import embedding_column, embedding_matrix

Keep = bool | npt.NDArray[np.int64]
"""Whether embeddings stay in the rows: of all, of none, or of those at these positions."""


def for_stage(
    detectors: Detectors,
    keep_embeddings: Keep,
    search: OpenSearch | None,
    mean_ks: Sequence[int] = (),
) -> dict[str, Any]:
    """What `DetectGenerated` takes; `mean_ks` is for evaluations alone (see `Detector`)."""
    return {
        "search": search,
        "detector": {**detectors.arguments(), "mean_ks": mean_ks},
        "keep_embeddings": keep_embeddings,
    }


class DetectGenerated:
    """Ray stage: `embedding` → the columns of `scores`.

    Args:
        search: the open search in a bank; None: no neighbours.
        detector: what `Detector` takes but for what is searched (`Detectors.arguments`).
        keep_embeddings: whether the column `embedding` is left in the rows; of the positions that
            are not named, it is null.
        tally: where times are reported; None: nowhere.

    Raises:
        UfdError: at the first batch, if the bank cannot be read or used (see `EncodeImages`).
    """

    def __init__(
        self,
        *,
        search: OpenSearch | None,
        detector: dict[str, Any],
        keep_embeddings: Keep = False,
        tally: Any = None,
    ) -> None:
        self._num_threads = this_node()[0]  # of which Ray would give one
        self._failure: UfdError | None = None
        try:
            found, labels = None, None
            self._evidence: Any = None
            if search is not None:
                found, self._evidence = search.connect()
                labels = np.asarray(self._evidence["label"], np.int8)
            self._detector = Detector(search=found, labels=labels, **detector)
        except UfdError as error:
            self._failure = error
        self._keep_embeddings = keep_embeddings
        self._tally = tally

    def __call__(self, rows: Any) -> Any:
        """Score a batch.

        Args:
            rows: `pa.Table` with `embedding`, null for failed images.

        Returns:
            The rows with all columns of `SCORES` (`position` before, further columns and
            `embedding` behind them). An embedding of which nothing can be said is an error, too
            (`not_finite`).
        """
        if self._failure is not None:
            raise self._failure
        # Here, not above: OpenMP counts by thread, and batches come in another than the first one.
        torch.set_num_threads(self._num_threads)
        return detect_rows(rows, self._detector, self._evidence, self._keep_embeddings, self._tally)


def detect_rows(
    rows: Any, detector: Detector, evidence: Any, keep_embeddings: Keep, tally: Any = None
) -> Any:
    """Score a batch; arguments and result as for `DetectGenerated`.

    Args:
        rows: `pa.Table` with `embedding`.
        detector: what decides.
        evidence: `pa.Table`, what is told of the bank's rows; None: there is no bank.
        keep_embeddings: whether the column `embedding` is left in the rows.
        tally: where times are reported; None: nowhere.
    """
    valid = np.asarray(rows["embedding"].is_valid())
    with timed(tally, "detect", len(rows)):
        embeddings = embedding_matrix(rows["embedding"].filter(pa.array(valid)))
        found = detector.detect(embeddings)
    if tally is not None and found.counts is not None:
        tally.add_search.remote(asdict(found.counts))
    scored = valid.copy()
    scored[valid] = found.usable
    if not found.usable.all():
        rows = put_errors(rows, [OVERFLOWS if bad else None for bad in valid & ~scored])
        kept = np.zeros((len(rows), embeddings.shape[1]), embeddings.dtype)
        kept[valid] = embeddings
        place = rows.column_names.index("embedding")
        rows = rows.set_column(place, "embedding", embedding_column(kept, scored))
    for field, column in detection_columns(found, scored, evidence):
        rows = rows.append_column(field, column)
    rows = put(rows, "status", np.where(scored, "scored", "error").tolist())
    rows = put(rows, "duplicate_of", [None] * len(rows))
    own = ["position", *(field.name for field in SCORES)]
    further = [n for n in rows.column_names if n not in own and n != "embedding"]
    if isinstance(keep_embeddings, bool):
        return rows.select([*own, *further, *(["embedding"] * keep_embeddings)])
    chosen = np.isin(np.asarray(rows[POSITION.name]), keep_embeddings)
    others_null = pa.array(np.arange(len(rows)), mask=~chosen)
    embedding = rows["embedding"].combine_chunks().take(others_null)
    return rows.select([*own, *further]).append_column("embedding", embedding)
