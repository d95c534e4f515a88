"""The same network in fewer passes over memory, and without what nobody reads.

A transformer's matrix products leave memory idle, and what stands between them leaves multipliers
idle. Two of these steps take more passes than they need:

- QuickGELU, x·σ(1.702 x), is three passes over the widest layer. Its constant moves into the
  weights around it, and what is left is SiLU, one pass: with y = 1.702 x it is y·σ(y) / 1.702.
- `nn.MultiheadAttention` copies queries, keys and values apart before it multiplies them.

And of the last block, one token is read (`first_token`).
"""

from __future__ import annotations

import torch
from torch import nn

from ufd_ray.encoders.first_token import end_with_first_token
from ufd_ray.encoders.self_attention import SelfAttention

QUICKGELU = 1.702


def make_lean(module: nn.Module) -> int:
    """Rewrite a tower in place; what it computes stays the same but for rounding.

    Args:
        module: frozen, in float32: constants are multiplied into weights before these are rounded.

    Returns:
        How many of its layers were rewritten: 0 for networks that have none of these.
    """
    rewritten = 0
    for parent in list(module.modules()):
        if isinstance(parent, nn.Sequential):
            rewritten += _fold_quickgelu(parent)
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MultiheadAttention) and SelfAttention.fits(child):
                setattr(parent, name, SelfAttention(child))
                rewritten += 1
    return rewritten + end_with_first_token(module)


@torch.no_grad()
def _fold_quickgelu(layers: nn.Sequential) -> int:
    folded = 0
    for place in range(1, len(layers) - 1):
        before, activation, after = layers[place - 1], layers[place], layers[place + 1]
        if type(activation).__name__ != "QuickGELU":
            continue
        if isinstance(before, nn.Linear) and isinstance(after, nn.Linear):
            before.weight.mul_(QUICKGELU)
            if before.bias is not None:
                before.bias.mul_(QUICKGELU)
            after.weight.div_(QUICKGELU)
            layers[place] = nn.SiLU(inplace=True)
            folded += 1
    return folded
