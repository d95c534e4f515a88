"""A tower in fewer passes computes what it computed before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from tests.unit.encoders.inputs import relative_difference
from ufd_ray.encoders.first_token import FirstTokenBlock
from ufd_ray.encoders.lean import make_lean
from ufd_ray.encoders.self_attention import SelfAttention


def tiny_clip() -> nn.Module:
    """CLIP's image tower, two blocks of it, 64 wide."""
    torch.manual_seed(4)
    module: nn.Module = VisionTransformer(64, 16, 64, 2, 4, 4.0, act_layer=QuickGELU, output_dim=32)
    # As built its blocks hardly matter; trained ones do.
    for parameter in module.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return module.eval().requires_grad_(False)


@torch.no_grad()
def run(module: nn.Module, dtype: torch.dtype = torch.float32) -> Tensor:
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    found: Tensor = copy.deepcopy(module).to(dtype)(pixels.to(dtype))
    return found.double()


def test_clip_computes_the_same() -> None:
    plain = tiny_clip()
    lean = copy.deepcopy(plain)
    assert make_lean(lean) == 5
    kinds = {type(module).__name__ for module in lean.modules()}
    assert "SelfAttention" in kinds
    assert not kinds & {"QuickGELU", "MultiheadAttention"}
    assert relative_difference(run(lean), run(plain)) < 1e-5
    # Not by chance: without its constant the activation function is another one.
    for block in plain.transformer.resblocks:  # type: ignore[union-attr]
        block.mlp.gelu = nn.SiLU()  # type: ignore[union-attr]
    assert relative_difference(run(lean), run(plain)) > 1e-3


def test_the_last_block_computes_what_is_read() -> None:
    lean = tiny_clip()
    make_lean(lean)
    lengths: list[int] = []
    blocks: Any = lean.transformer.resblocks  # type: ignore[union-attr]
    for block in blocks:
        block.mlp.register_forward_hook(lambda _, __, out: lengths.append(out.shape[1]))
    run(lean)
    assert lengths == [17, 1]


def all_tokens(tower: Any) -> None:
    tower.output_tokens = True


def their_mean(tower: Any) -> None:
    tower.pool_type = "avg"


def by_attention(tower: Any) -> None:
    tower.attn_pool = nn.Identity()


@pytest.mark.parametrize("read", [all_tokens, their_mean, by_attention])
def test_where_other_tokens_are_read_all_are_computed(read: Callable[[Any], None]) -> None:
    tower = tiny_clip()
    read(tower)
    assert make_lean(tower) == 4
    assert not any(isinstance(module, FirstTokenBlock) for module in tower.modules())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_no_more_is_lost(dtype: torch.dtype) -> None:
    exact, lean = tiny_clip(), tiny_clip()
    make_lean(lean)
    plain_error = relative_difference(run(exact, dtype), run(exact))
    assert relative_difference(run(lean, dtype), run(exact)) < 1.5 * plain_error


def test_attention_is_plain_or_refused() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.randn(2, 5, 8)
    lean = SelfAttention(attention)
    with torch.no_grad():
        assert torch.allclose(lean(x, x, x)[0], attention(x, x, x)[0], atol=1e-6)
        for asked in ({"attn_mask": torch.ones(5, 5)}, {"is_causal": True}, {"need_weights": True}):
            with pytest.raises(ValueError, match="only plain self-attention"):
                lean(x, x, x, **asked)
        with pytest.raises(ValueError, match="only plain self-attention"):
            lean(x, x.clone(), x)


@pytest.mark.parametrize("odd", [{"batch_first": False}, {"add_zero_attn": True}, {"kdim": 4}])
def test_other_kinds_of_attention_stay_as_they_are(odd: dict[str, bool]) -> None:
    module = nn.ModuleList([nn.MultiheadAttention(8, 2, **({"batch_first": True} | odd))])  # type: ignore[arg-type]
    assert make_lean(module) == 0
    assert isinstance(module[0], nn.MultiheadAttention)


def test_networks_with_neither_stay_as_they_are() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2))
    before = [parameter.clone() for parameter in module.parameters()]
    assert make_lean(module) == 0
    assert all(map(torch.equal, before, module.parameters()))
