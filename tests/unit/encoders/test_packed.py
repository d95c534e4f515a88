"""Weights laid out for bf16 instructions give what the layers gave."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from timm.layers import Mlp
from timm.layers.attention import Attention
from timm.models.beit import Attention as ReachingAttention
from torch import nn

from tests.unit.encoders.inputs import relative_difference
from tests.unit.encoders.test_lean import run, tiny_clip
from ufd_ray.cpu import fast_bf16
from ufd_ray.encoders import packed
from ufd_ray.encoders.encoder import Encoder
from ufd_ray.encoders.lean import make_lean
from ufd_ray.encoders.packed import PackedLinear, pack_weights
from ufd_ray.encoders.spec import EncoderSpec

needs_bf16 = pytest.mark.skipif(not fast_bf16(), reason="this CPU has no instructions for bf16")


def packed_layers(module: nn.Module) -> int:
    return sum(isinstance(layer, PackedLinear) for layer in module.modules())


@needs_bf16
def test_no_more_is_lost_than_by_bf16_itself() -> None:
    exact = tiny_clip()
    lean = tiny_clip()
    make_lean(lean)
    lean.to(torch.bfloat16)
    lost = relative_difference(run(lean, torch.bfloat16), run(exact))
    # Two blocks of attention (2 and 3 layers) and what follows them (2 each).
    assert pack_weights(lean) == packed_layers(lean) == 9
    assert not any(isinstance(layer, nn.Linear | nn.SiLU) for layer in lean.modules())
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(5)).bfloat16()
    with torch.no_grad():
        found = lean(pixels).double()
    assert relative_difference(found, run(exact)) < 1.2 * lost


@needs_bf16
@pytest.mark.parametrize("activation", [nn.SiLU(), nn.GELU(), nn.GELU("tanh"), nn.ReLU()])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (3, 7), (33,)])
def test_a_layer_and_what_follows_it(
    activation: nn.Module, bias: bool, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(1)
    plain = nn.Sequential(nn.Linear(24, 40, bias), activation, nn.Linear(40, 8)).bfloat16().eval()
    plain.requires_grad_(False)
    made: Any = copy.deepcopy(plain)
    assert pack_weights(made) == 2
    fused = isinstance(made[1], nn.Identity)
    assert fused == (isinstance(activation, nn.SiLU) or repr(activation) == repr(nn.GELU()))
    x = torch.randn(*shape, 24).bfloat16()
    found, expected = made(x), plain(x)
    assert found.dtype == torch.bfloat16
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=2**-6, atol=2**-8)


@needs_bf16
@pytest.mark.parametrize("kind", [Attention, Mlp])
def test_timms_layers(kind: Any) -> None:
    torch.manual_seed(2)
    plain = kind(32).eval().requires_grad_(False).bfloat16()
    made = copy.deepcopy(plain)
    assert pack_weights(made) == 2
    x = torch.randn(2, 6, 32).bfloat16()
    torch.testing.assert_close(made(x), plain(x), rtol=2**-6, atol=2**-8)


def stand_in(layer: nn.Linear, activation: nn.Module | None = None) -> nn.Module:
    return nn.Sequential(layer, *([] if activation is None else [activation]))


def test_what_is_replaced_and_what_is_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    # On any machine: in place of packed layers stand the same ones, wrapped.
    monkeypatch.setattr(packed, "PackedLinear", stand_in)
    torch.manual_seed(3)
    norm = nn.LayerNorm(8)
    layers = [
        nn.Sequential(),
        nn.Linear(8, 8),
        nn.GELU(),
        norm,
        nn.Linear(8, 8),
        norm,
        nn.SiLU(),
        nn.Linear(8, 8),
    ]
    plain = nn.Sequential(*layers).eval().requires_grad_(False)
    replaced: Any = copy.deepcopy(plain)
    assert pack_weights(replaced) == 3
    kinds = [type(layer).__name__ for layer in replaced]
    wrapped, same, none = "Sequential", "LayerNorm", "Identity"
    assert kinds == ["Sequential", wrapped, none, same, wrapped, same, "SiLU", wrapped]
    x = torch.randn(4, 8)
    assert torch.equal(replaced(x), plain(x))
    lean: Any = tiny_clip()
    make_lean(lean)
    before = run(lean)
    assert pack_weights(lean) == 9
    assert relative_difference(run(lean), before) < 1e-6


def test_layers_whose_weights_somebody_reaches_for_stay() -> None:
    attention = ReachingAttention(32, 2, qkv_bias=True)
    assert pack_weights(attention) == 0
    assert isinstance(attention.qkv, nn.Linear)


def test_an_encoder_is_packed_where_that_pays_and_nowhere_else() -> None:
    spec = EncoderSpec.parse("timm/test_vit:random:0")
    assert packed_layers(Encoder.load(spec, precision="fp32")) == 0
    num_packed = packed_layers(Encoder.load(spec, precision="bf16"))
    assert (num_packed > 0) == (fast_bf16() is not None)
