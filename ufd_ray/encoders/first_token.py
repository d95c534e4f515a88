"""A transformer of which one token is read need not compute the others to the end.

CLIP's embedding is its first token's alone. Of the last block, the other tokens are needed as keys
and values; their queries and their widest layers are ten twelfths of a block's work.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ufd_ray.encoders.self_attention import SelfAttention, linear_of


class FirstTokenAttention(nn.Module):
    """Self-attention where only the first token asks.

    Args:
        attention: whose weights it takes over.
    """

    def __init__(self, attention: SelfAttention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        weight, bias = attention.in_proj.weight, attention.in_proj.bias
        width = weight.shape[1]
        self.query = linear_of(weight[:width], None if bias is None else bias[:width])
        self.key_value = linear_of(weight[width:], None if bias is None else bias[width:])
        self.out_proj = attention.out_proj

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width) → (n, 1, width): what `SelfAttention` gives for the first token."""
        n, tokens, width = x.shape
        size = width // self.num_heads
        parts = self.key_value(x).view(n, tokens, 2, self.num_heads, size)
        k, v = parts.permute(2, 0, 3, 1, 4)
        q = self.query(x[:, :1]).view(n, 1, self.num_heads, size).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.out_proj(attended.transpose(1, 2).reshape(n, 1, width))
        return mixed


class FirstTokenBlock(nn.Module):
    """A block of open_clip's whose other tokens nobody reads.

    Args:
        block: whose layers it takes over, its attention a `SelfAttention`.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.ln_1, self.attn, self.ls_1 = block.ln_1, FirstTokenAttention(block.attn), block.ls_1
        self.ln_2, self.mlp, self.ls_2 = block.ln_2, block.mlp, block.ls_2

    def forward(self, x: Tensor, attn_mask: None = None) -> Tensor:
        """(n, tokens, width) → (n, 1, width): what the whole block makes of the first."""
        first = x[:, :1] + self.ls_1(self.attn(self.ln_1(x)))
        made: Tensor = first + self.ls_2(self.mlp(self.ln_2(first)))
        return made


def end_with_first_token(module: nn.Module) -> bool:
    """Rewrite the last block of an image tower of open_clip in place, if it may be.

    Args:
        module: the tower, its attention rewritten.

    Returns:
        Whether it was: not where all tokens are read, or the block is another one.
    """
    tower: Any = module
    if type(tower).__name__ != "VisionTransformer" or not _reads_first_token(tower):
        return False
    blocks = tower.transformer.resblocks
    last = blocks[-1]
    plain = type(last).__name__ == "ResidualAttentionBlock" and not hasattr(last, "ln_1_kv")
    if not plain or not isinstance(last.attn, SelfAttention):
        return False
    blocks[-1] = FirstTokenBlock(last)
    return True


def _reads_first_token(tower: Any) -> bool:
    return (
        getattr(tower, "pool_type", None) == "tok"
        and tower.attn_pool is None
        and not tower.output_tokens
        and getattr(tower.transformer, "batch_first", False)
    )
