"""A feature bank → a linear probe, fitted by data-parallel workers of Ray Train."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray.train
import torch
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from ufd_ray.detectors import (
    LogisticFit,
    PaperFit,
    Probe,
    fit_logistic,
    fit_paper,
    import_published,
)
from ufd_ray.encoders import EncoderIdentity
from ufd_ray.errors import IdentityError, SettingsError
from ufd_ray.evaluation import accuracy_at, average_precision
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.cluster import join_cluster
from ufd_ray.pipeline.ray_errors import our_errors_only, work_begun
from ufd_ray.pipeline.waiting import wait_for_machine
from ufd_ray.settings import FitProbeSettings
from ufd_ray.storage import (
    BankInfo,
    ProbeFiles,
    StorageOptions,
    check_writable,
    embedding_matrix,
    local_copy,
    object_exists,
    outcome_of_earlier,
    read_bank_info,
    read_shards,
    utc_now,
    write_probe,
)

_CPUS_OF_A_WORKER = 0.5
_WAIT_S = 1800.0
"""Longest wait for a machine, where the cluster has yet to start one."""


@dataclass(frozen=True)
class _Rows:
    """Labelled embeddings: (n, dim) and (n,)."""

    embeddings: npt.NDArray[Any]
    labels: npt.NDArray[np.int8]


def fit_probe(settings: FitProbeSettings) -> Outcome:
    """Run the job.

    Raises:
        SettingsError: the settings cannot be used.
        UfdError: the fit failed; there is no probe.
    """
    storage = StorageOptions.of(settings)
    bank = read_bank_info(settings.bank, storage)
    try:
        encoder = EncoderIdentity.from_dict(bank.encoder)
    except IdentityError as error:
        raise SettingsError(f"--bank {settings.bank}: {error}") from error
    _check(settings, bank, storage)
    # The bank's contents, not its name alone: one that was built anew asks for a new probe.
    fingerprint = settings.fingerprint() | {"bank_shards": [s["sha256"] for s in bank.shards]}
    earlier = outcome_of_earlier(
        settings.output, "probe.json", fingerprint, "a probe fitted", storage
    )
    if earlier is not None:
        print(f"this probe has been fitted already: {settings.output}")
        return earlier
    check_writable(settings.output, storage)
    storage = replace(storage, patient=True)
    if encoder.is_random:
        print("warning: the bank's encoder has random weights: what is fitted on it means nothing")
    curve: list[dict[str, float]] = []
    if settings.import_ is not None:
        probe = _import(settings.import_, bank, storage)
    else:
        with our_errors_only(), work_begun():
            probe, curve = _fit(settings, bank, storage)
    validation = _validate(probe, _read_rows(bank, storage, "val"))
    details = {
        "fitted_at": utc_now(),
        "weights_are_random": encoder.is_random,
        "recipe": settings.recipe if settings.import_ is None else "imported",
        "bank": settings.bank,
        "training_curve": curve,
        "validation": validation,
        "fingerprint": fingerprint,
    }
    files = ProbeFiles(probe.weight, float(probe.bias), bank.encoder, bank.dtype, 0.5, details)
    write_probe(settings.output, files, storage)
    said = (
        f"on {validation['num_images']:,} held-out images:"
        f" AP {validation['average_precision']:.3f}, accuracy at 0.5 {validation['accuracy']:.3f}"
        if validation
        else "no held-out images of both classes to judge it on"
    )
    steps = f", {len(curve)} steps" if curve else ""
    print(f"probe ({details['recipe']}{steps}) {said}: {settings.output}")
    return Outcome.PUBLISHED


def _check(settings: FitProbeSettings, bank: BankInfo, storage: StorageOptions) -> None:
    if settings.import_ is not None and not object_exists(settings.import_, storage):
        raise SettingsError(f"--import {settings.import_}: there is no such file")
    if (
        settings.import_ is None
        and settings.recipe == "paper"
        and not bank.counts["split"].get("val")
    ):
        raise SettingsError(
            f"--recipe paper stops by held-out images, and the bank {bank.uri} has none; build it"
            " with --val-share or a `split` column"
        )


def _import(uri: str, bank: BankInfo, storage: StorageOptions) -> Probe:
    with local_copy(uri, storage) as file:
        probe = import_published(file, dim=bank.dim)
    print(
        f"weights of {uri}, taken for encoder {bank.encoder['arch']}: the file does not say whose"
    )
    return probe


def _fit(
    settings: FitProbeSettings, bank: BankInfo, storage: StorageOptions
) -> tuple[Probe, list[dict[str, float]]]:
    cluster = wait_for_machine(join_cluster(), _WAIT_S, num_cpus=_CPUS_OF_A_WORKER)
    num_workers = min(settings.num_workers, max(1, cluster.num_cpus))
    if num_workers < settings.num_workers:
        print(f"{num_workers} workers instead of {settings.num_workers}: no more CPUs than that")
    with tempfile.TemporaryDirectory(prefix="ufd-ray-train-") as folder:
        trainer = TorchTrainer(
            _train,
            train_loop_config={"settings": settings, "bank": bank, "storage": storage},
            scaling_config=ScalingConfig(
                num_workers=num_workers, resources_per_worker={"CPU": _CPUS_OF_A_WORKER}
            ),
            torch_config=TorchConfig(backend="gloo"),
            run_config=RunConfig(name="fit_probe", storage_path=folder),
        )
        fit: LogisticFit | PaperFit = trainer.fit().return_value
    if isinstance(fit, LogisticFit) and not fit.converged:
        print("warning: the fit stopped before its optimum")
    return fit.probe, fit.curve


def _train(config: dict[str, Any]) -> LogisticFit | PaperFit:
    """Every worker's part: its rows in memory once, then sums over all workers."""
    settings: FitProbeSettings = config["settings"]
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    rows = _read_rows(config["bank"], config["storage"], "train", rank, world_size)
    if settings.recipe == "logistic":
        return fit_logistic(rows.embeddings, rows.labels, c=settings.l2, all_reduce=_sum)
    held_out = _read_rows(config["bank"], config["storage"], "val", rank, world_size)
    return fit_paper(
        rows.embeddings,
        rows.labels,
        held_out.embeddings,
        held_out.labels,
        seed=settings.seed,
        rank=rank,
        world_size=world_size,
        all_reduce=_sum,
    )


def _sum(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    total = torch.from_numpy(np.array(vector, dtype=np.float64))
    torch.distributed.all_reduce(total)
    return total.numpy()


def _read_rows(
    bank: BankInfo, storage: StorageOptions, split: str, rank: int = 0, world_size: int = 1
) -> _Rows:
    """One worker's rows of a split: augmented views where the bank has any, else view 0.

    Of the rows in the bank's order, worker `rank` keeps number `rank`, `rank + world_size`, ….
    """
    augmented = split == "train" and any(view != "0" for view in bank.counts["view"])
    embeddings = [np.empty((0, bank.dim), bank.dtype)]
    labels = [np.empty(0, np.int8)]
    passed = 0
    for shard in read_shards(bank, storage, ["label", "split", "view", "embedding"]):
        wanted = np.asarray(shard["split"]) == split
        wanted &= (np.asarray(shard["view"]) > 0) == augmented
        rows = np.flatnonzero(wanted)
        mine = pa.array(rows[(passed + np.arange(len(rows))) % world_size == rank])
        passed += len(rows)
        embeddings.append(embedding_matrix(shard["embedding"].take(mine)))
        labels.append(np.asarray(shard["label"].take(mine), np.int8))
    return _Rows(np.concatenate(embeddings), np.concatenate(labels))


def _validate(probe: Probe, rows: _Rows) -> dict[str, Any] | None:
    if len(np.unique(rows.labels)) < 2:
        return None
    scores = probe.scores(rows.embeddings)
    accuracy = accuracy_at(rows.labels, scores, 0.5)
    return {
        "num_images": len(rows.labels),
        "average_precision": average_precision(rows.labels, scores),
        "accuracy": accuracy.overall,
        "accuracy_real": accuracy.real,
        "accuracy_fake": accuracy.fake,
    }
