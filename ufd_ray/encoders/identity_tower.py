"""An encoder that costs nothing, for trials of everything around it: `identity:random:0`."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.tower import Tower

_SIDE = 16


def build_identity(spec: EncoderSpec, file: Path | None) -> Tower:
    """Build a tower that averages pixels to 16 × 16 × 3 numbers. It has no weights.

    It takes part as one with random weights does, so that its results say everywhere that they mean
    nothing.

    Args:
        spec: `identity` with any seed, which changes nothing.
        file: none.
    """
    module = nn.Sequential(nn.AdaptiveAvgPool2d(_SIDE), nn.Flatten())
    return Tower(module, spec.arch, 224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 3 * _SIDE**2)
