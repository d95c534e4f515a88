"""A trained baseline on pixels: scores, features, heat. One forward pass each, in float32."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ufd_ray.baselines.baseline import Baseline
from ufd_ray.encoders.tf32 import without_tf32


@torch.inference_mode()
@without_tf32()
def score_pixels(
    baseline: Baseline, network: nn.Module, pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """P(generated) of a batch of images.

    Args:
        baseline: whose network it is.
        network: in eval mode, on any device.
        pixels: uint8 (n, size, size, 3), of the baseline's test recipe; n may be 0.

    Returns:
        (n,) float32, 0 … 1.
    """
    if not len(pixels):
        return np.empty(0, np.float32)
    return _to_numpy(baseline.scores(network(_inputs(baseline, network, pixels))))


@torch.inference_mode()
@without_tf32()
def features_of_pixels(
    baseline: Baseline, network: nn.Module, pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What a network's last layer sees of a batch of images, (n, dim) float32.

    Args:
        baseline: likewise, one that has features.
        network: likewise.
        pixels: likewise; n is 1 at least.
    """
    return _to_numpy(baseline.features(network, _inputs(baseline, network, pixels)))


@torch.inference_mode()
@without_tf32()
def heat_of_pixels(
    baseline: Baseline, network: nn.Module, pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """P(generated) by place in a batch of images, (n, rows, columns) float32, 0 … 1.

    Args:
        baseline: likewise, one that has heat.
        network: likewise.
        pixels: likewise; n is 1 at least.
    """
    return _to_numpy(baseline.heat(network(_inputs(baseline, network, pixels))))


def _inputs(baseline: Baseline, network: nn.Module, pixels: NDArray[np.uint8]) -> Tensor:
    device = next(network.parameters()).device
    # A copy: arrays from Ray's object store cannot be written to, of which torch warns.
    return baseline.inputs(torch.from_numpy(pixels.copy()).to(device))


def _to_numpy(found: Tensor) -> NDArray[np.float32]:
    return np.asarray(found.float().cpu().numpy())
