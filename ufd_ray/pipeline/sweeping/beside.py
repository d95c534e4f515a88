"""The sweeps beside an evaluation's flow: by fewer training images, and by other banks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ray

from ufd_ray.encoders import EncoderIdentity, EncoderSpec
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.encoding import EncoderPlan, plan_encoder
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.sweeping.banks import (
    OtherBank,
    check_memory,
    embedded_at,
    share_embeddings,
)
from ufd_ray.pipeline.sweeping.by_bank import score_by_bank
from ufd_ray.pipeline.sweeping.embedding import embed_images
from ufd_ray.pipeline.sweeping.scoring import Embedded
from ufd_ray.pipeline.sweeping.settings_of_sweeps import Swept
from ufd_ray.pipeline.sweeping.train_sizes import check_sizes, score_sizes
from ufd_ray.pipeline.sweeping.weights import EmbeddedBy, find_weights
from ufd_ray.settings import OWN
from ufd_ray.storage import join_uri


@dataclass(frozen=True)
class SweepPlan:
    """What is swept beside the flow, checked before anything is encoded.

    Attributes:
        others: banks by what test images have to be embedded by.
        encoders: how they are where the evaluation itself does not.
    """

    others: Mapping[EmbeddedBy, Sequence[OtherBank]] = field(default_factory=dict)
    encoders: Mapping[EmbeddedBy, EncoderPlan] = field(default_factory=dict)


def plan_sweeps(evaluation: Evaluation, banks: Sequence[OtherBank], cluster: Cluster) -> SweepPlan:
    """See that all that is swept can be, and plan the encoders of other banks.

    Args:
        evaluation: the job.
        banks: the others.
        cluster: as it is.

    Raises:
        SettingsError: something cannot.
    """
    settings, detectors = evaluation.settings, evaluation.detectors
    if detectors.bank is not None:
        check_sizes(settings, detectors.bank, cluster)
    own = (detectors.encoder.encoder_id, detectors.dtype)
    check_memory(settings, banks, cluster)
    others = share_embeddings(banks, own)
    plans = {}
    for by, weights in find_weights(settings, others, own, evaluation.storage).items():
        encoder = others[by][0].encoder
        spec = EncoderSpec(encoder.arch, encoder.weights)
        elsewhere = settings.model_copy(update={"weights": weights})
        plans[by] = plan_encoder(elsewhere, spec, encoder.preprocess, by[1], cluster)
    return SweepPlan(others, plans)


def sweep(
    planned: SweepPlan, evaluation: Evaluation, cluster: Cluster, embedded: Embedded, scratch: str
) -> Swept:
    """Do what is swept beside the flow.

    Args:
        planned: what is.
        evaluation: the job.
        cluster: as it was.
        embedded: its own images, with their embeddings where these are wanted.
        scratch: URI of a folder for other embeddings.

    Raises:
        UfdError: a bank cannot be read or searched, workers cannot be had, or rows are lost.
    """
    settings, bank = evaluation.settings, evaluation.detectors.bank
    sizes = {}
    if bank is not None and settings.sweep_train_size:
        print(f"training-set sizes: {', '.join(f'{n:,}' for n in settings.sweep_train_size)}")
        arguments = (settings.sweep_train_size, settings.ks, settings.seed, embedded)
        task = ray.remote(num_cpus=1)(score_sizes)
        sizes = ray.get(task.remote(bank, *arguments, evaluation.storage))
    found, words = {}, {OWN: _words(evaluation.detectors.encoder, evaluation.detectors.dtype)}
    for number, (by, others) in enumerate(planned.others.items()):
        place = embedded
        if by in planned.encoders:
            place = embedded_at(embedded, join_uri(scratch, f"parts-{number}"))
            embed_images(evaluation, planned.encoders[by], others[0].encoder, cluster, place)
        for other in others:
            found[other.name] = score_by_bank(other, settings, place, cluster, evaluation.storage)
            words[other.name] = _words(other.encoder, other.bank.dtype)
    # In the order given, whatever was embedded together.
    banks = {name: found[name] for name in settings.compared_banks}
    return Swept(sizes, banks, words)


def _words(encoder: EncoderIdentity, dtype: str) -> str:
    spec = EncoderSpec(encoder.arch, encoder.weights)
    return f"encoder {spec} ({encoder.preprocess}), {encoder.encoder_id}, kept as {dtype}"
