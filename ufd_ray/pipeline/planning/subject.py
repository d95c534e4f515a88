"""What a plan is for: which encoder, which detectors, loaded without a cluster."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ufd_ray.detectors import Detector, NeighborSearch, search_bytes, searchable
from ufd_ray.encoders import Encoder, EncoderIdentity, EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.precision import precision_here
from ufd_ray.settings import Device, PlanSettings
from ufd_ray.storage import BankInfo, StorageOptions, object_exists, read_searchable

_GIB = 2**30


@dataclass(frozen=True)
class Subject:
    """What is measured beside the images.

    Attributes:
        identity: the encoder's.
        plan: how it is loaded, for the device that the cluster has.
        encoder: it, loaded; None: its rate was given.
        model_s: seconds that loading took; None: it was not loaded.
        detectors: what the run decides by; None: it builds a bank.
        detector: they, loaded.
        bank: `pa.Table`, what is searched; None: there is no bank.
        bank_s: seconds that reading it took.
    """

    identity: EncoderIdentity
    plan: EncoderPlan
    encoder: Encoder | None
    model_s: float | None
    detectors: Detectors | None
    detector: Detector | None
    bank: Any
    bank_s: float | None


def load_subject(settings: PlanSettings, storage: StorageOptions) -> Subject:
    """Load what is to be measured.

    Raises:
        SettingsError: encoder, bank or probe cannot be used, do not fit into this machine, or a GPU
            is planned with whose rate nobody says.
        StorageError: the bank cannot be read.
    """
    detectors = None if settings.encoder else Detectors.read(settings, storage)
    device: Device = "cuda" if settings.gpus_per_machine else "cpu"
    measures = settings.gpu_images_per_s is None
    if device == "cuda" and measures and not torch.cuda.is_available():
        raise SettingsError(
            "--gpus-per-machine: there is no GPU here to measure on; say --gpu-images-per-s, from"
            " a trial on such a machine"
        )
    plan = _plan(settings, detectors, device, storage)
    encoder, model_s = None, None
    if measures or detectors is None:
        begun = time.perf_counter()
        here = plan if measures else _on_this_cpu(plan)
        encoder = here.load(storage, detectors.encoder if detectors else None)
        model_s = time.perf_counter() - begun
    identity = detectors.encoder if detectors else encoder.identity  # type: ignore[union-attr]
    detector, bank, bank_s = None, None, None
    if detectors is not None:
        begun = time.perf_counter()
        detector, bank = _load_detector(detectors, storage)
        bank_s = time.perf_counter() - begun if detectors.bank else None
    loaded = encoder if measures else None
    return Subject(identity, plan, loaded, model_s, detectors, detector, bank, bank_s)


def _plan(
    settings: PlanSettings, detectors: Detectors | None, device: Device, storage: StorageOptions
) -> EncoderPlan:
    if detectors is None:
        spec = EncoderSpec.parse(settings.encoder or "")
        preprocess, dtype = settings.preprocess, "float32"
    else:
        known = detectors.encoder
        spec, preprocess = EncoderSpec(known.arch, known.weights), known.preprocess
        dtype = detectors.dtype
    if settings.weights is not None and not object_exists(settings.weights, storage):
        raise SettingsError(f"there are no weights at {settings.weights}")
    choice = precision_here(settings, spec, device)
    print(f"encoder {spec} on {device} in {choice.precision}: {choice.reason}")
    return EncoderPlan(spec, preprocess, settings.weights, device, choice.precision, dtype)


def _on_this_cpu(plan: EncoderPlan) -> EncoderPlan:
    """To learn its identity alone."""
    return EncoderPlan(plan.spec, plan.preprocess, plan.weights, "cpu", "fp32", plan.dtype)


def _load_detector(detectors: Detectors, storage: StorageOptions) -> tuple[Detector, Any]:
    bank, search, labels = None, None, None
    if detectors.bank is not None:
        _check_fits(detectors.bank)
        bank = read_searchable(detectors.bank, storage)
        found = searchable(bank)
        search = NeighborSearch(found.embeddings, found.labels, found.image_ids)
        labels = np.asarray(found.labels, np.int8)
    return Detector(search=search, labels=labels, **detectors.arguments()), bank


def _check_fits(bank: BankInfo) -> None:
    size = search_bytes(bank.num_searchable, bank.dim, bank.dtype)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory / 2:
        raise SettingsError(
            f"--bank: to be searched it takes {size / _GIB:.1f} GiB, and this machine has"
            f" {memory / _GIB:.1f}; plan on one with twice what it takes, or with the probe alone"
        )
