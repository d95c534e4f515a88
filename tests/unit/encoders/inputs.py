"""Pixels to try encoders on, and how two sets of embeddings are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ufd_ray.encoders import Encoder, EncoderIdentity, EncoderSpec
from ufd_ray.encoders.build import build_tower

Pixels = npt.NDArray[np.uint8]


def random_pixels(num_images: int, size: int = 224, seed: int = 0) -> Pixels:
    """Coarse blocks of colour with noise on them: unlike pure noise, no two embed alike."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 200, (num_images, 7, 7, 3))
    big = blocks.repeat(-(-size // 7), axis=1).repeat(-(-size // 7), axis=2)[:, :size, :size]
    return (big + rng.integers(0, 56, big.shape)).astype(np.uint8)


def normalised(pixels: Pixels, identity: EncoderIdentity) -> Tensor:
    """What the libraries' own models take, computed in float64 until the end."""
    values = (pixels / 255 - np.array(identity.mean)) / np.array(identity.std)
    return torch.from_numpy(values).permute(0, 3, 1, 2).float()


def relative_difference(a: Any, b: Any) -> float:
    """Largest distance of two rows that should be the same, relative to the row's length."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape
    return float((np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).max())


def input_of_head(model: nn.Module, head: nn.Module, pixels: Tensor) -> Tensor:
    """What reaches a classifier's last layer, the penultimate features by definition."""
    seen: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model.eval()(pixels)
    hook.remove()
    return seen[0]


def clip_state(encoder: Encoder) -> dict[str, Tensor]:
    """The tensors that an encoder of random weights was made of, named as in a CLIP checkpoint."""
    spec = EncoderSpec(encoder.identity.arch, encoder.identity.weights)
    module = build_tower(spec)[0].module  # the encoder has rewritten its own
    return {f"visual.{name}": tensor for name, tensor in module.state_dict().items()}
