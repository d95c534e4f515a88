"""The stage that turns embeddings into scores: probe and nearest neighbours, then the verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import ray
import torch

from ufd_ray.detectors import OVERFLOWS, Detector, detection_columns, searchable
from ufd_ray.errors import UfdError
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import put, put_errors
from ufd_ray.schema import SCORES
from ufd_ray.storage import StorageOptions, embedding_column, embedding_matrix, read_searchable


def for_stage(
    detectors: Detectors, keep_embeddings: bool, storage: StorageOptions
) -> dict[str, Any]:
    """What `DetectGenerated` takes."""
    bank = None
    if detectors.bank:
        # Read by a worker, kept once a node in the object store; never in the driver.
        bank = ray.remote(num_cpus=0.25)(read_searchable).remote(detectors.bank, storage)
    return {
        "bank": bank,
        "detector": detectors.arguments(),
        "keep_embeddings": keep_embeddings,
    }


class DetectGenerated:
    """Ray stage: `embedding` → the columns of `scores`.

    Args:
        bank: reference to the searchable rows (`read_searchable`) in the object store, which all
            workers of a node share; None: no neighbours.
        detector: what `Detector` takes but for what is searched (`Detectors.arguments`).
        keep_embeddings: leave the column `embedding` in the rows.
        tally: where times are reported; None: nowhere.

    Raises:
        UfdError: at the first batch, if the bank cannot be read or used (see `EncodeImages`).
    """

    def __init__(
        self,
        *,
        bank: Any,
        detector: dict[str, Any],
        keep_embeddings: bool = False,
        tally: Any = None,
    ) -> None:
        torch.set_num_threads(this_node()[0])  # of which Ray would give one
        self._failure: UfdError | None = None
        try:
            self._bank = None if bank is None else ray.get(bank)
            found = None if bank is None else searchable(self._bank)
            self._detector = Detector(searchable=found, **detector)
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
        valid = np.asarray(rows["embedding"].is_valid())
        with timed(self._tally, "detect", len(rows)):
            embeddings = embedding_matrix(rows["embedding"].filter(pa.array(valid)))
            found = self._detector.detect(embeddings)
        scored = valid.copy()
        scored[valid] = found.usable
        if not found.usable.all():
            rows = put_errors(rows, [OVERFLOWS if bad else None for bad in valid & ~scored])
            kept = np.zeros((len(rows), embeddings.shape[1]), embeddings.dtype)
            kept[valid] = embeddings
            place = rows.column_names.index("embedding")
            rows = rows.set_column(place, "embedding", embedding_column(kept, scored))
        for field, column in detection_columns(found, scored, self._bank):
            rows = rows.append_column(field, column)
        rows = put(rows, "status", np.where(scored, "scored", "error").tolist())
        rows = put(rows, "duplicate_of", [None] * len(rows))
        own = ["position", *(field.name for field in SCORES)]
        further = [n for n in rows.column_names if n not in own and n != "embedding"]
        return rows.select([*own, *further, *(["embedding"] * self._keep_embeddings)])
