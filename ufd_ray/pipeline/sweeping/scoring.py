"""Embeddings that an earlier stage left → what detectors say of them, in one process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ufd_ray.detectors import Detected, Neighbors, mean_margin
from ufd_ray.pipeline.evaluating.scores import VOTE
from ufd_ray.schema import FAKE, MEAN_MARGIN
from ufd_ray.storage import Parts, StorageOptions, embedding_matrix

Scores = dict[str, npt.NDArray[np.float32]]
"""(n,) by the name of a detector's column, NaN where nothing can be said of an image."""

_ROWS_AT_ONCE = 50_000
_QUERIES_AT_ONCE = 4096


@dataclass(frozen=True)
class Embedded:
    """Where the embeddings of the test images lie.

    Attributes:
        parts: URI of the folder of rows with `embedding`.
        manifest: URI of the manifest that they are held against.
        num_images: its rows.
        storage: how they are reached.
    """

    parts: str
    manifest: str
    num_images: int
    storage: StorageOptions

    def batches(self) -> Iterator[tuple[list[str], npt.NDArray[Any]]]:
        """Ids and embeddings of the images that have one, in the manifest's order.

        Raises:
            UfdError: rows cannot be read, are lost, or there twice.
        """
        parts = Parts(self.parts, self.manifest, self.storage)
        parts.check_accounts(self.num_images)
        for table in parts.ranges(self.num_images, _ROWS_AT_ONCE):
            rows = table.select(["image_id", "embedding"])
            rows = rows.filter(pc.is_valid(rows["embedding"])).combine_chunks()
            for start in range(0, len(rows), _QUERIES_AT_ONCE):
                few = rows.slice(start, _QUERIES_AT_ONCE)
                yield few["image_id"].to_pylist(), embedding_matrix(few["embedding"])


def votes_of(
    rows: npt.NDArray[np.int64], labels: npt.NDArray[np.integer], ks: Sequence[int]
) -> Scores:
    """The votes of the nearest.

    Args:
        rows: (n, k) of the bank, nearest first.
        labels: of the bank's rows, 0 real, 1 fake.
        ks: how many vote; those of more than k are left out.
    """
    fake = np.asarray(labels)[rows] == FAKE
    return {
        f"{VOTE}{k}": fake[:, :k].mean(axis=1, dtype=np.float64).astype(np.float32)
        for k in ks
        if k <= fake.shape[1]
    }


def mean_margins_of(near: Neighbors, ks: Sequence[int], most: int) -> Scores:
    """The mean margins (`mean_margin`).

    Args:
        near: of n embeddings.
        ks: over how many of each class means are taken.
        most: images of each class that were searched; means of more are left out, as votes are.
    """
    return {f"{MEAN_MARGIN}{k}": mean_margin(near, k) for k in ks if k <= most}


def scores_of_detected(
    found: Detected, labels: npt.NDArray[np.integer] | None, ks: Sequence[int]
) -> Scores:
    """What a detector said, as columns, in the order of `score_columns`.

    Args:
        found: of n embeddings, with the mean margins of these `ks` where there is a bank.
        labels: of the bank's rows; None: there is no bank.
        ks: how many neighbours vote.
    """
    names = [name for name in ("probe_score", "nn_margin") if name in found.columns]
    scores: Scores = {name: found.columns[name] for name in names}
    if labels is not None and found.neighbor_rows is not None:
        scores |= votes_of(found.neighbor_rows, labels, ks)
        means = [f"{MEAN_MARGIN}{k}" for k in ks]
        scores |= {name: found.columns[name] for name in means}
    spread = {}
    for name, values in scores.items():
        spread[name] = np.full(len(found.usable), np.nan, np.float32)
        spread[name][found.usable] = values
    return spread


def join_scores(batches: Sequence[Scores]) -> Scores:
    """The columns of several batches, at least one, one behind the other."""
    return {name: np.concatenate([some[name] for some in batches]) for name in batches[0]}
