"""What is trained, and how: all that is settled before the first image is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ufd_ray.baselines import Baseline
from ufd_ray.encoders import EncoderSpec
from ufd_ray.encoders.checkpoints import WeightsFile
from ufd_ray.settings import Device, Precision


@dataclass(frozen=True)
class Origin:
    """What was trained, and how.

    Attributes:
        baseline: which.
        spec: whose weights it started from; None: it started from scratch.
        weights: the file that they were read from; None: there is none.
        device: on which it was trained.
        precision: in which products were made.
        fingerprint: the settings that decide what comes out.
    """

    baseline: Baseline
    spec: EncoderSpec | None
    weights: WeightsFile | None
    device: Device
    precision: Precision
    fingerprint: dict[str, Any]
