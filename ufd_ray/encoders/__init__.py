"""Pixels → embeddings, by a frozen encoder that knows who it is."""

from ufd_ray.encoders.checkpoints import WeightsFile
from ufd_ray.encoders.cpu_batches import CpuBatches
from ufd_ray.encoders.device import (
    DeviceChoice,
    PrecisionChoice,
    require_device,
    resolve_device,
    resolve_precision,
)
from ufd_ray.encoders.encoder import Encoder
from ufd_ray.encoders.gpu import GpuBatches
from ufd_ray.encoders.identity import EncoderIdentity, require_same
from ufd_ray.encoders.precision import objection_to_bf16
from ufd_ray.encoders.spec import DEFAULT_ENCODER, SHORT_NAMES, EncoderSpec

__all__ = [
    "DEFAULT_ENCODER",
    "SHORT_NAMES",
    "CpuBatches",
    "DeviceChoice",
    "Encoder",
    "EncoderIdentity",
    "EncoderSpec",
    "GpuBatches",
    "PrecisionChoice",
    "WeightsFile",
    "objection_to_bf16",
    "require_device",
    "require_same",
    "resolve_device",
    "resolve_precision",
]
