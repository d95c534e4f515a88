"""What another bank's neighbours, and a probe fitted on it, say of the test images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch

from ufd_ray.detectors import Detector, Probe, fit_logistic
from ufd_ray.pipeline.cluster import Cluster, this_node
from ufd_ray.pipeline.fitting.rows import TRAIN, TRAIN_VIEWS, read_rows
from ufd_ray.pipeline.searching import OpenSearch, choose_search_device, open_search, plan_on
from ufd_ray.pipeline.sweeping.banks import OtherBank
from ufd_ray.pipeline.sweeping.scoring import Embedded, Scores, join_scores, scores_of_detected
from ufd_ray.pipeline.sweeping.train_sizes import L2
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import BankInfo, StorageOptions


@dataclass(frozen=True)
class ByBank:
    """What a bank's neighbours and probe say.

    Attributes:
        image_ids: of the images that have an embedding.
        scores: of these.
    """

    image_ids: list[str]
    scores: Scores


def score_by_bank(
    other: OtherBank,
    settings: EvaluateSettings,
    embedded: Embedded,
    cluster: Cluster,
    storage: StorageOptions,
) -> ByBank:
    """Fit a probe on a bank, and have it and the bank's neighbours say what they make of images.

    The search is that of a run, in parts where the bank is large; what asks it is one process, for
    test sets are small beside what is scored.

    Args:
        other: the bank.
        settings: the job's.
        embedded: the test images, at least one of which has an embedding, by the bank's encoder.
        cluster: as it was.
        storage: how the bank is reached.

    Raises:
        UfdError: the bank cannot be read or searched, or nothing be fitted on it.
    """
    device = choose_search_device(settings.search_device, None, cluster)
    print(f"bank {other.name}: {other.bank.uri}")
    probe = ray.get(_task(fit_on).remote(other.bank, storage))
    plan = plan_on(device, settings, other.bank, cluster, settings.wait_for_gpus_s)
    with closing(open_search(plan, other.bank, storage)) as search:
        ask = _task(score_embedded)
        found: ByBank = ray.get(ask.remote(search, probe, settings.ks, embedded))
    return found


def _task(function: Any) -> Any:
    return ray.remote(num_cpus=1)(function)


def fit_on(bank: BankInfo, storage: StorageOptions) -> Probe:
    """The probe of `fit_probe`'s recipe `logistic`: on augmented views where the bank has some.

    Raises:
        SettingsError: the bank's training images are all of one class.
        StorageError: a file is gone or damaged.
    """
    torch.set_num_threads(this_node()[0])
    rows = read_rows(bank, storage, [TRAIN, TRAIN_VIEWS])
    train = rows[TRAIN_VIEWS] if len(rows[TRAIN_VIEWS]) else rows[TRAIN]
    return fit_logistic(train.embeddings, train.labels, c=L2).probe


def score_embedded(
    search: OpenSearch, probe: Probe, ks: Sequence[int], embedded: Embedded
) -> ByBank:
    """Ask an open search, and a probe, about all images that have an embedding.

    Raises:
        UfdError: the bank or the embeddings cannot be read, or not searched.
    """
    torch.set_num_threads(this_node()[0])
    asked, evidence = search.connect()
    labels = np.asarray(evidence["label"], np.int8)
    detector = Detector(
        probe=probe,
        calibration=None,
        search=asked,
        labels=labels,
        decider="neighbors",
        threshold=0.5,
        unsure_above=None,
        k=max(ks),
        mean_ks=ks,
    )
    image_ids: list[str] = []
    batches: list[Scores] = []
    for names, embeddings in embedded.batches():
        image_ids += names
        batches.append(scores_of_detected(detector.detect(embeddings), labels, ks))
    return ByBank(image_ids, join_scores(batches))
