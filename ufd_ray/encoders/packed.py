"""Weights laid out once, in the blocks that a CPU's bf16 instructions multiply.

PyTorch lays them out anew for every product, and makes an activation function a pass of its own
over what it has rounded and written. In one call it is computed while a block is in registers.
The calls are those that PyTorch's own compiler puts in (`torch.compile` with freezing); compiling
would take a minute at every start.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ufd_ray.encoders.first_token import FirstTokenAttention
from ufd_ray.encoders.self_attention import SelfAttention

_CALLERS = (nn.Sequential, SelfAttention, FirstTokenAttention)
_CALLERS_OF_TIMM = ("timm.layers.attention.Attention", "timm.layers.mlp.Mlp")
"""Those that call their layers in the order in which they hold them; others may reach for a layer's
weights."""
_FUSED = {nn.SiLU: ("swish", ""), nn.GELU: ("gelu", "none")}
"""What oneDNN calls an activation function, and the algorithm for it."""


class PackedLinear(nn.Module):
    """`nn.Linear` in bf16, and the activation function after it.

    Args:
        layer: whose weights are laid out anew.
        activation: SiLU or exact GELU, if one follows.
    """

    def __init__(self, layer: nn.Linear, activation: nn.Module | None = None) -> None:
        super().__init__()
        # No parameters: what is laid out like this, nothing can cast, move or save.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())
        self._bias = None if layer.bias is None else layer.bias.detach()
        self._name, self._algorithm = (
            ("none", "") if activation is None else _FUSED[type(activation)]
        )

    def forward(self, x: Tensor) -> Tensor:
        """bf16 (…, in_features) → bf16 (…, out_features)."""
        made: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, self._name, [], self._algorithm
        )
        return made


def pack_weights(module: nn.Module) -> int:
    """Replace linear layers of a tower in place, with the activation functions that follow them.

    Args:
        module: frozen, lean, in bf16, on a CPU that has instructions for it.

    Returns:
        How many layers were replaced: 0 for networks that have none of these.
    """
    packed = 0
    for parent in list(module.modules()):
        if not _calls_its_layers(parent):
            continue
        layers = list(parent._modules.items())  # each as often as it is called
        for (name, layer), (next_name, after) in pairwise([*layers, ("", None)]):
            if type(layer) is not nn.Linear:
                continue
            fused = after if _can_be_fused(after) else None
            setattr(parent, name, PackedLinear(layer, fused))
            if fused is not None:
                setattr(parent, next_name, nn.Identity())
            packed += 1
    return packed


def _calls_its_layers(parent: nn.Module) -> bool:
    kind = type(parent)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return isinstance(parent, _CALLERS) or name in _CALLERS_OF_TIMM


def _can_be_fused(layer: nn.Module | None) -> bool:
    return type(layer) in _FUSED and getattr(layer, "approximate", "none") == "none"
