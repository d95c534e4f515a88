"""Bank and probe as their JSON describes them, the one encoder of both, and where the line is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ufd_ray.detectors import Calibration, Probe
from ufd_ray.encoders import EncoderIdentity, require_same
from ufd_ray.errors import IdentityError, SettingsError
from ufd_ray.pairing.named_thresholds import default_threshold, threshold_of
from ufd_ray.settings import DecidingSettings, Precision
from ufd_ray.storage import (
    BankInfo,
    NeighborsFile,
    ProbeFiles,
    StorageOptions,
    read_bank_info,
    read_neighbors,
    read_probe,
)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Detectors:
    """What a run decides by. Nothing of it has been loaded but JSON and the probe's few numbers.

    Attributes:
        settings: which they are, and who decides.
        bank: what `bank.json` says; None: no neighbours.
        neighbors: what `neighbors.json` says; None: the bank has none.
        probe: what the probe's files say; None: no probe.
        encoder: identity of the encoder of both.
        threshold: the deciding score above which an image counts as fake.
        unsure_above: the one above which an image that does not is unsure; None: none is.
    """

    settings: DecidingSettings
    bank: BankInfo | None
    neighbors: NeighborsFile | None
    probe: ProbeFiles | None
    encoder: EncoderIdentity
    threshold: float
    unsure_above: float | None

    @classmethod
    def read(cls, settings: DecidingSettings, storage: StorageOptions) -> Detectors:
        """Read them, and see that they go together.

        Raises:
            SettingsError: one is not there or cannot be used, they are of different encoders, or
                there is no such threshold.
        """
        bank = read_bank_info(settings.bank, storage) if settings.bank else None
        probe = read_probe(settings.probe, storage) if settings.probe else None
        encoder = _one_encoder(settings, bank, probe)
        if bank and settings.k > bank.num_searchable:
            raise SettingsError(
                f"--k {settings.k}: the bank has only {bank.num_searchable} images to search"
            )
        neighbors = read_neighbors(bank, storage) if bank else None
        where = (settings, probe, neighbors)
        threshold = threshold_of("threshold", settings.threshold, *where)
        unsure_above = None
        if settings.unsure_above is not None:
            unsure_above = threshold_of("unsure-above", settings.unsure_above, *where)
            if not unsure_above < threshold:
                said = (
                    f"--unsure-above {settings.unsure_above} is {unsure_above:.6g}, and the"
                    f" threshold ({settings.threshold}) is {threshold:.6g}"
                )
                if isinstance(settings.unsure_above, float):
                    raise SettingsError(f"{said}: it has to lie below it")
                # A better detector may have what was found change places: no reason to stop.
                print(f"{said}: nothing between them, so no image is called unsure")
                unsure_above = None
        return cls(settings, bank, neighbors, probe, encoder, threshold, unsure_above)

    @property
    def dtype(self) -> str:
        """Precision in which embeddings are kept: `float32` or `float16`."""
        return (self.bank or self.probe).dtype  # type: ignore[union-attr] # one of them is there

    def say(self) -> str:
        """One line on where the line is."""
        settings = self.settings
        name = {"probe": "probe score", "neighbors": "vote", "margin": "margin"}[settings.decider]
        line = f"fake where the {name} is over {self.threshold:.6g} ({_name(settings.threshold)})"
        if self.unsure_above is not None:
            line += f", unsure over {self.unsure_above:.6g} ({_name(settings.unsure_above)})"
        if self.neighbors is not None:
            line += "; the margin's calibration is that of the bank's neighbors.json"
        return line

    def say_out_of_bank(self) -> str | None:
        """One line on when an image is out of the bank; None: there is no bank."""
        if self.bank is None:
            return None
        if (found := self.bank.leave_one_out) is None:
            return (
                "out_of_bank stays null: the bank does not say how far apart its images lie"
                " (build_bank with its own settings and --out-of-bank-quantile finds that out)"
            )
        return (
            f"out of the bank where all of it is farther than {found.distance:.4g}"
            f" ({100 * found.quantile:g} % of its own images have another one that near)"
        )

    @property
    def radius(self) -> float | None:
        """Distance to the nearest image beyond which one is out of the bank; None: none is."""
        found = self.bank.leave_one_out if self.bank else None
        return found.distance if found else None

    def arguments(self) -> dict[str, Any]:
        """What `Detector` takes, but for what is searched."""
        probe = self.probe
        calibration = probe.calibration if probe else None
        return {
            "probe": Probe(probe.weight, np.float32(probe.bias)) if probe else None,
            "calibration": Calibration.from_dict(calibration) if calibration else None,
            "decider": self.settings.decider,
            "threshold": self.threshold,
            "unsure_above": self.unsure_above,
            "k": self.settings.k,
            "radius": self.radius,
        }

    def contents(self) -> dict[str, Any]:
        """What they are, wherever they lie: part of a run's fingerprint.

        What an earlier release did not know of is None where things are as they were then, so that
        its runs are gone on with.
        """
        bank, probe, neighbors = self.bank, self.probe, self.neighbors
        return {
            "encoder_id": self.encoder.encoder_id,
            "bank_content": bank.content if bank else None,
            "probe_content": probe.content if probe else None,
            **self._further(),
            "neighbors_content": (
                _digest([neighbors.thresholds, neighbors.calibration]) if neighbors else None
            ),
        }

    def _further(self) -> dict[str, Any]:
        usual = default_threshold(self.settings, self.probe, None)
        return {
            "threshold": None if self.threshold == usual else self.threshold,
            "unsure_above": self.unsure_above,
            "probe_calibration": self.probe.calibration if self.probe else None,
            "out_of_bank_distance": self.radius,
        }

    def detector_id(self, precision: Precision) -> str:
        """A short hash of all that a verdict or a probability depends on, but the image.

        Args:
            precision: in which the encoder computes.
        """
        known = ("encoder_id", "bank_content", "probe_content")
        contents = self.contents()
        # Named where they say anything, so that without them the id is that of earlier releases.
        # The margin's calibration is told beside the rows, and changes none of them.
        told = (*known, "neighbors_content")
        further = {k: v for k, v in contents.items() if k not in told and v is not None}
        return _digest(
            [
                {name: contents[name] for name in known} | further,
                [precision, self.dtype],
                [self.settings.decider, self.threshold, self.settings.k],
            ]
        )

    def describe(self, precision: Precision, device: str) -> dict[str, Any]:
        """What is the same for all rows of a run, as `run.json` and the files' metadata have it.

        Args:
            precision: in which the encoder computes.
            device: where.
        """
        probe, neighbors, settings = self.probe, self.neighbors, self.settings
        leave_one_out = self.bank.leave_one_out if self.bank else None
        return {
            "encoder": self.encoder.to_dict(),
            "encoder_id": self.encoder.encoder_id,
            "weights_are_random": self.encoder.is_random,
            "precision": precision,
            "device": device,
            "dtype": self.dtype,
            "bank": settings.bank,
            "probe": settings.probe,
            "decided_by": settings.decider,
            "threshold": self.threshold,
            "threshold_name": _name(settings.threshold),
            "unsure_above": self.unsure_above,
            "unsure_above_name": _name(settings.unsure_above),
            "k": settings.k,
            "out_of_bank_distance": self.radius,
            "out_of_bank_quantile": leave_one_out.quantile if leave_one_out else None,
            "probe_thresholds": probe.thresholds if probe else None,
            "probe_calibration": probe.calibration if probe else None,
            "neighbors_thresholds": neighbors.thresholds if neighbors else None,
            "neighbors_calibration": neighbors.calibration if neighbors else None,
        }


def _one_encoder(
    settings: DecidingSettings, bank: BankInfo | None, probe: ProbeFiles | None
) -> EncoderIdentity:
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
    return identities[0]


def _name(given: float | str | None) -> str | None:
    return given if given is None or isinstance(given, str) else "given"
