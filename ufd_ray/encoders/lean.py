"""The same network in fewer passes over memory, for GPUs in half precision.

A transformer's matrix products leave a GPU's memory idle, and what stands between them leaves its
multipliers idle. Two of these steps take more passes than they need:

- QuickGELU, x·σ(1.702 x), is three passes over the widest layer. Its constant moves into the
  weights around it, and what is left is SiLU, one pass: with y = 1.702 x it is y·σ(y) / 1.702.
- `nn.MultiheadAttention` copies queries, keys and values apart before it multiplies them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

QUICKGELU = 1.702


def make_lean(module: nn.Module) -> int:
    """Rewrite a tower in place; what it computes stays the same but for rounding.

    Args:
        module: frozen, in float32: constants are multiplied into weights before these are rounded.

    Returns:
        How many of its layers were rewritten: 0 for networks that have none of the two.
    """
    rewritten = 0
    for parent in list(module.modules()):
        if isinstance(parent, nn.Sequential):
            rewritten += _fold_quickgelu(parent)
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MultiheadAttention) and SelfAttention.fits(child):
                setattr(parent, name, SelfAttention(child))
                rewritten += 1
    return rewritten


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


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention` where queries, keys and values are made of the same tokens.

    Args:
        attention: whose weights it takes over.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.in_proj_weight = attention.in_proj_weight
        self.in_proj_bias = attention.in_proj_bias
        self.out_proj = attention.out_proj

    @staticmethod
    def fits(attention: nn.MultiheadAttention) -> bool:
        """Whether it is a plain one: (n, tokens, width), one projection, nothing appended."""
        return (
            attention.batch_first
            and attention._qkv_same_embed_dim
            and attention.bias_k is None
            and not attention.add_zero_attn
        )

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, need_weights: bool = False, **others: Any
    ) -> tuple[Tensor, None]:
        """(n, tokens, width) thrice the same → (n, tokens, width), and no weights.

        Raises:
            ValueError: something is asked for that plain self-attention does not do.
        """
        odd = [name for name, given in others.items() if given is not None and given is not False]
        if odd or need_weights or key is not query or value is not query:
            raise ValueError(f"only plain self-attention was taken over; asked for {odd or 'more'}")
        n, tokens, width = query.shape
        mixed = functional.linear(query, self.in_proj_weight, self.in_proj_bias)
        parts = mixed.view(n, tokens, 3, self.num_heads, width // self.num_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(attended.transpose(1, 2).reshape(n, tokens, width)), None
