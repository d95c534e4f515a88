"""Bank and probe as their JSON describes them, and the one encoder that both were made with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray

from ufd_ray.detectors import Probe
from ufd_ray.encoders import EncoderIdentity, require_same
from ufd_ray.errors import IdentityError, SettingsError
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import (
    BankInfo,
    ProbeFiles,
    StorageOptions,
    read_bank_info,
    read_probe,
    read_searchable,
)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Detectors:
    """What a run decides by. Nothing of it has been loaded but JSON and the probe's few numbers.

    Attributes:
        settings: the job's.
        bank: what `bank.json` says; None: no neighbours.
        probe: what the probe's files say; None: no probe.
        encoder: identity of the encoder of both.
    """

    settings: ScoreSettings
    bank: BankInfo | None
    probe: ProbeFiles | None
    encoder: EncoderIdentity

    @classmethod
    def read(cls, settings: ScoreSettings, storage: StorageOptions) -> Detectors:
        """Read both, and see that they go together.

        Raises:
            SettingsError: one is not there or cannot be used, or they are of different encoders.
        """
        bank = read_bank_info(settings.bank, storage) if settings.bank else None
        probe = read_probe(settings.probe, storage) if settings.probe else None
        try:
            identities = [EncoderIdentity.from_dict(x.encoder) for x in (bank, probe) if x]
            require_same(
                identities[0], identities[-1], f"bank {settings.bank}", f"probe {settings.probe}"
            )
        except IdentityError as error:
            raise SettingsError(str(error)) from error
        if bank and probe and bank.dtype != probe.dtype:
            raise SettingsError(
                f"the bank keeps embeddings in {bank.dtype}, the probe was fitted on {probe.dtype};"
                " fit the probe on this bank"
            )
        if bank and settings.k > bank.num_searchable:
            raise SettingsError(
                f"--k {settings.k}: the bank has only {bank.num_searchable} images to search"
            )
        return cls(settings, bank, probe, identities[0])

    @property
    def dtype(self) -> str:
        """Precision in which embeddings are kept: `float32` or `float16`."""
        return (self.bank or self.probe).dtype  # type: ignore[union-attr] # one of them is there

    @property
    def threshold(self) -> float:
        """The deciding score above which an image counts as fake, 0–1."""
        by_probe = self.settings.decider == "probe" and self.probe
        return by_probe.threshold if by_probe else 0.5

    def for_stage(self, storage: StorageOptions) -> dict[str, Any]:
        """What `DetectGenerated` takes."""
        bank = None
        if self.bank:
            # Read by a worker, kept once a node in the object store; never in the driver.
            bank = ray.remote(num_cpus=0.25)(read_searchable).remote(self.bank, storage)
        probe = self.probe
        return {
            "bank": bank,
            "probe": Probe(probe.weight, np.float32(probe.bias)) if probe else None,
            "threshold": self.threshold,
            "k": self.settings.k,
            "decider": self.settings.decider,
            "keep_embeddings": self.settings.keep_embeddings,
        }

    def contents(self) -> dict[str, str | None]:
        """What bank and probe are, wherever they lie: part of a run's fingerprint."""
        bank, probe = self.bank, self.probe
        return {
            "encoder_id": self.encoder.encoder_id,
            "bank_content": _digest([shard["sha256"] for shard in bank.shards]) if bank else None,
            "probe_content": (
                _digest([probe.weight.tobytes().hex(), probe.bias, probe.threshold])
                if probe
                else None
            ),
        }

    def detector_id(self, plan: EncoderPlan) -> str:
        """A short hash of all that a verdict depends on, but the image."""
        return _digest(
            [
                self.contents(),
                [plan.precision, self.dtype],
                [self.settings.decider, self.threshold, self.settings.k],
            ]
        )

    def describe(self, plan: EncoderPlan) -> dict[str, Any]:
        """What is the same for all rows of a run, as `run.json` and the files' metadata have it."""
        return {
            "encoder": self.encoder.to_dict(),
            "encoder_id": self.encoder.encoder_id,
            "weights_are_random": self.encoder.is_random,
            "precision": plan.precision,
            "device": plan.device,
            "dtype": self.dtype,
            "bank": self.settings.bank,
            "probe": self.settings.probe,
            "decided_by": self.settings.decider,
            "threshold": self.threshold,
            "k": self.settings.k,
        }
