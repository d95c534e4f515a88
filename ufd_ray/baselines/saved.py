"""A trained network's file → the network."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
from torch import nn

from ufd_ray.baselines.baseline import Baseline
from ufd_ray.errors import UfdError


def load_network(baseline: Baseline, file: Path) -> nn.Module:
    """Build a baseline's network with the numbers that were saved, on the CPU, in eval mode.

    Args:
        baseline: whose.
        file: safetensors of its whole state dict.

    Raises:
        UfdError: the file is damaged, or that of another network.
    """
    network = baseline.build()
    try:
        network.load_state_dict(safetensors.torch.load_file(file))
    except (RuntimeError, safetensors.SafetensorError, OSError) as error:
        told = " ".join(str(error).split())[:300]
        raise UfdError(
            f"{file} is no network of {baseline.name}, {baseline.arch}: {told}"
        ) from error
    return network.eval()
