"""Embeddings that earlier runs kept: read again, or found by content, instead of computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray

from ufd_ray.encoders import EncoderIdentity, EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    PublishedRun,
    StorageOptions,
    describe_differences,
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
    if not settings.reuse_embeddings:
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
