"""Self-attention in fewer passes over memory."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention` where queries, keys and values are made of the same tokens.

    Args:
        attention: whose weights it takes over.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.in_proj = linear_of(attention.in_proj_weight, attention.in_proj_bias)
        self.out_proj = linear_of(attention.out_proj.weight, attention.out_proj.bias)

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
        parts = self.in_proj(query).view(n, tokens, 3, self.num_heads, width // self.num_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(attended.transpose(1, 2).reshape(n, tokens, width)), None


def linear_of(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A frozen layer of these very weights: (out, in) and (out,)."""
    out_features, in_features = weight.shape
    layer = nn.Linear(in_features, out_features, bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return layer
