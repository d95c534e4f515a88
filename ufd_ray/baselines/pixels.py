"""Bytes of a pixel → the numbers that a network is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Statistics:
    """What pixels are normalised by, per channel (RGB), on the scale where white is 1."""

    mean: Triple
    std: Triple


IMAGENET = Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = Statistics((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = Statistics((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Black becomes -1, white 1."""


def channels_first(pixels: Tensor) -> Tensor:
    """Uint8 (n, height, width, 3) → float32 (n, 3, height, width), white 1."""
    return pixels.permute(0, 3, 1, 2).to(torch.float32) / 255


def normalize(pixels: Tensor, statistics: Statistics) -> Tensor:
    """Uint8 (n, height, width, 3) → float32 (n, 3, height, width): minus the mean, by the std."""
    values = channels_first(pixels)
    mean, std = (
        torch.tensor(numbers, device=pixels.device).view(3, 1, 1)
        for numbers in (statistics.mean, statistics.std)
    )
    return (values - mean) / std
