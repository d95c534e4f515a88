"""CLIP's vision transformer, written from the names in OpenAI's state dict and from the paper.

Shares no code with the package or with open_clip: it is the second opinion on both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def encode_image(
    weights: Mapping[str, Tensor],
    pixels: Tensor,
    activation: Callable[[Tensor], Tensor] = quick_gelu,
) -> Tensor:
    """Normalised float (n, 3, side, side) → features (n, dim), after the projection."""
    w = {k.removeprefix("visual."): v for k, v in weights.items() if k.startswith("visual.")}
    patch = w["conv1.weight"].shape[-1]
    x = functional.conv2d(pixels, w["conv1.weight"], stride=patch).flatten(2).transpose(1, 2)
    first = w["class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([first, x], dim=1) + w["positional_embedding"]
    x = layer_norm(x, w, "ln_pre")
    block = 0
    while f"transformer.resblocks.{block}.ln_1.weight" in w:
        name = f"transformer.resblocks.{block}"
        x = x + attention(layer_norm(x, w, f"{name}.ln_1"), w, f"{name}.attn")
        hidden = activation(linear(layer_norm(x, w, f"{name}.ln_2"), w, f"{name}.mlp.c_fc"))
        x = x + linear(hidden, w, f"{name}.mlp.c_proj")
        block += 1
    return layer_norm(x[:, 0], w, "ln_post") @ w["proj"]


def attention(x: Tensor, w: Mapping[str, Tensor], name: str) -> Tensor:
    n, tokens, width = x.shape
    qkv = x @ w[f"{name}.in_proj_weight"].T + w[f"{name}.in_proj_bias"]
    # Every head of CLIP is 64 wide.
    q, k, v = qkv.reshape(n, tokens, 3, width // 64, 64).permute(2, 0, 3, 1, 4)
    mixed = torch.softmax(q @ k.transpose(-1, -2) / 64**0.5, dim=-1) @ v
    return linear(mixed.transpose(1, 2).reshape(n, tokens, width), w, f"{name}.out_proj")


def linear(x: Tensor, w: Mapping[str, Tensor], name: str) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def layer_norm(x: Tensor, w: Mapping[str, Tensor], name: str) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-5)
