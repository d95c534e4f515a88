"""Embeddings that earlier runs kept: found again by content, instead of being computed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from ufd_ray.encoders import EncoderIdentity, EncoderSpec
from ufd_ray.errors import SettingsError, StorageError, UfdError
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.progress import timed
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    KeptEmbeddings,
    PublishedRun,
    StorageOptions,
    describe_differences,
    embedding_column,
    embedding_files,
    index_embeddings,
    published_runs,
)


def plan_recall(runs: Sequence[PublishedRun], encoder: EncoderIdentity, dtype: str) -> EncoderPlan:
    """The plan by which these runs made their embeddings; nothing of it is ever loaded.

    Raises:
        SettingsError: a run kept none, or made them otherwise than bank and probe ask for, or than
            the other runs.
    """
    spec = EncoderSpec(encoder.arch, encoder.weights)
    precision = runs[-1].document.get("detectors", {}).get("precision")
    plan = EncoderPlan(spec, encoder.preprocess, None, "cpu", precision, dtype)
    for run in runs:
        has_rows = run.document.get("counts", {}).get("images") != 0
        if has_rows and not embedding_files(run.uri, run.document):
            raise SettingsError(
                f"--from-run {run.run_id}: that run kept no embeddings (--keep-embeddings), or they"
                " were pruned; score its images again with --input"
            )
        if differences := describe_differences(_made_by(run), _makes(plan, encoder)):
            raise SettingsError(
                f"--from-run {run.run_id}: its embeddings are not those that bank and probe are"
                f" for: {differences}"
            )
    return plan


def find_kept(
    settings: ScoreSettings, encoder: EncoderIdentity, plan: EncoderPlan, storage: StorageOptions
) -> Any:
    """A reference to the index of all embeddings that are kept below `--output`; None of none.

    It is read by a worker and held once a node in the object store, never in the driver.

    Raises:
        SettingsError: the record of a published run cannot be read.
        StorageError: the storage does not say.
    """
    if not (settings.reuse_embeddings or settings.from_run):
        return None
    wanted = _makes(plan, encoder)
    files = [
        file
        for run in reversed(published_runs(settings.output, storage))
        if _made_by(run) == wanted
        for file in embedding_files(run.uri, run.document)
    ]
    return ray.remote(num_cpus=0.25)(index_embeddings).remote(files, storage) if files else None


def _made_by(run: PublishedRun) -> dict[str, Any]:
    detectors = run.document.get("detectors", {})
    return {name: detectors.get(name) for name in ("encoder_id", "precision", "dtype")}


def _makes(plan: EncoderPlan, encoder: EncoderIdentity) -> dict[str, Any]:
    return {"encoder_id": encoder.encoder_id, "precision": plan.precision, "dtype": plan.dtype}


class RecallEmbeddings:
    """Ray stage: `content_hash` → `embedding`, with no image and no encoder.

    Args:
        kept: reference to the index, as `find_kept` gives it.
        dim: numbers in an embedding.
        dtype: their stored precision.
        storage: how storage is reached.
        tally: where times are reported; None: nowhere.
    """

    def __init__(
        self, kept: Any, dim: int, dtype: str, storage: StorageOptions, tally: Any = None
    ) -> None:
        self._failure: UfdError | None = None
        try:
            self._kept = KeptEmbeddings(ray.get(kept), storage)
        except UfdError as error:
            self._failure = error
        self._dim = dim
        self._dtype = np.dtype(dtype)
        self._tally = tally

    def __call__(self, rows: Any) -> Any:
        """Recall a batch.

        Args:
            rows: `pa.Table` with `content_hash`, `status`, `error_code` of an earlier run.

        Returns:
            The same rows with `embedding`, null where that run had an error.

        Raises:
            StorageError: the index cannot be read (see `EncodeImages`), or an image was scored and
                its embedding is not there.
        """
        if self._failure is not None:
            raise self._failure
        with timed(self._tally, "recall", len(rows)):
            scored = np.asarray(rows["error_code"].is_null())
            hashes = pc.if_else(pa.array(scored), rows["content_hash"], None).to_pylist()
            found, kept = self._kept.read(hashes)
            if (missing := scored & ~kept).any():
                uri = rows["uri"][int(np.flatnonzero(missing)[0])]
                raise StorageError(f"no embedding is kept of {uri}, which was scored")
            embeddings = np.zeros((len(rows), self._dim), self._dtype)
            if found is not None:
                embeddings[kept] = found
        return rows.append_column("embedding", embedding_column(embeddings, kept))
