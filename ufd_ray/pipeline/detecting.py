"""The stage that turns embeddings into scores: probe and nearest neighbours, then the verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray
import torch

from ufd_ray.detectors import NeighborSearch, Probe, margin, verdicts, vote
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.progress import timed
from ufd_ray.pipeline.rows import put, spread
from ufd_ray.schema import DECIDING, DETECTION, NEIGHBOR, SCORES
from ufd_ray.storage import embedding_matrix


class DetectGenerated:
    """Ray stage: `embedding` → the columns of `scores`.

    Args:
        bank: reference to the searchable rows (`read_searchable`) in the object store, which all
            workers of a node share; None: no neighbours.
        probe: the linear probe; None: no probe.
        threshold: deciding score above which an image counts as fake, 0–1.
        k: neighbours that vote.
        decider: `probe` or `neighbors`: whose word the verdict is.
        keep_embeddings: leave the column `embedding` in the rows.
        tally: where times are reported; None: nowhere.

    Raises:
        StorageError: at the first batch, if the bank cannot be read or used (see `EncodeImages`).
    """

    def __init__(
        self,
        *,
        bank: Any,
        probe: Probe | None,
        threshold: float,
        k: int,
        decider: str,
        keep_embeddings: bool = False,
        tally: Any = None,
    ) -> None:
        torch.set_num_threads(this_node()[0])  # of which Ray would give one
        self._search: NeighborSearch | None = None
        self._failure: UfdError | None = None
        try:
            if bank is not None:
                self._open(ray.get(bank))
        except UfdError as error:
            self._failure = error
        self._probe = probe
        self._threshold = threshold
        self._k = k
        self._decider = decider
        self._keep_embeddings = keep_embeddings
        self._tally = tally

    def __call__(self, rows: Any) -> Any:
        """Score a batch.

        Args:
            rows: `pa.Table` with `embedding`, null for failed images.

        Returns:
            The rows with all columns of `SCORES` (`position` before, further columns and
            `embedding` behind them).
        """
        if self._failure is not None:
            raise self._failure
        valid = np.asarray(rows["embedding"].is_valid())
        with timed(self._tally, "detect", len(rows)):
            embeddings = embedding_matrix(rows["embedding"].filter(pa.array(valid)))
            found = self._detect(embeddings)
        for field in DETECTION:
            values = found.get(field.name)
            column = (
                pa.nulls(len(rows), field.type)
                if values is None
                else spread(pa.array(values, field.type, from_pandas=True), valid)
            )
            rows = rows.append_column(field, column)
        rows = put(rows, "status", np.where(valid, "scored", "error").tolist())
        rows = put(rows, "duplicate_of", [None] * len(rows))
        own = ["position", *(field.name for field in SCORES)]
        further = [n for n in rows.column_names if n not in own and n != "embedding"]
        return rows.select([*own, *further, *(["embedding"] * self._keep_embeddings)])

    def _open(self, bank: Any) -> None:
        self._bank = bank
        self._labels = np.asarray(bank["label"], np.int8)
        self._search = NeighborSearch(
            embedding_matrix(bank["embedding"]),
            self._labels,
            np.asarray(bank["image_id"].to_pylist()),
        )

    def _detect(self, embeddings: npt.NDArray[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._probe is not None:
            logits = self._probe.logits(embeddings)
            found["probe_logit"] = logits
            found["probe_score"] = self._probe.scores(embeddings)
        if self._search is not None:
            near = self._search.search(embeddings, self._k)
            found["nn_vote"] = vote(near, self._labels)
            found["nn_margin"] = margin(near)
            found["nn_real_distance"] = np.maximum(1.0 - near.real_similarity, 0.0)
            found["nn_fake_distance"] = np.maximum(1.0 - near.fake_similarity, 0.0)
            found["neighbors"] = self._evidence(near)
        found["verdict"] = verdicts(found[DECIDING[self._decider]], self._threshold)
        return found

    def _evidence(self, near: Any) -> Any:
        rows = self._bank.take(pa.array(near.index.reshape(-1)))
        columns = [rows[n].combine_chunks() for n in ("image_id", "uri", "label", "source")]
        columns.append(pa.array(near.similarity.reshape(-1), pa.float32()))
        structs = pa.StructArray.from_arrays(columns, fields=list(NEIGHBOR))
        offsets = np.arange(len(near.index) + 1, dtype=np.int32) * self._k
        return pa.ListArray.from_arrays(pa.array(offsets), structs)
