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

    def of_first(self, x: Tensor) -> Tensor:
        """What `forward` gives for the first token: (n, tokens, width) → (n, 1, width)."""
        n, tokens, width = x.shape
        size = width // self.num_heads
        weight, bias = self.in_proj_weight, self.in_proj_bias
        q = functional.linear(x[:, :1], weight[:width], bias[:width])
        others = functional.linear(x, weight[width:], bias[width:])
        k, v = others.view(n, tokens, 2, self.num_heads, size).permute(2, 0, 3, 1, 4)
        q = q.view(n, 1, self.num_heads, size).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.out_proj(attended.transpose(1, 2).reshape(n, 1, width))
        return mixed
