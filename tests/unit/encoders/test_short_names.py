"""Encoders of 2025 and later: statistics, size and pooling are the library's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from torch import Tensor, nn

from tests.unit.encoders.inputs import (
    clip_state,
    normalised,
    random_pixels,
    relative_difference,
)
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.build import build_tower
from ufd_ray.encoders.identity import Triple

HALF = (0.5, 0.5, 0.5)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def features_of(encoder: Encoder, own: nn.Module, name: str) -> tuple[Any, Tensor]:
    """The encoder's features, and those of a method of the library's own model."""
    pixels = random_pixels(2, encoder.input_size)
    with torch.inference_mode():
        expected: Tensor = getattr(own.eval(), name)(normalised(pixels, encoder.identity))
    return encoder.encode(pixels), expected


def open_clip_model(encoder: Encoder) -> nn.Module:
    """open_clip's own, text side and all, with the encoder's image tower."""
    model: nn.Module = open_clip.create_model(encoder.identity.arch, pretrained=None)
    model.load_state_dict(clip_state(encoder), strict=False)
    return model


def test_perception_encoder_equals_open_clip() -> None:
    encoder = Encoder.load(EncoderSpec.parse("PE-Core-T-16-384:random:0"))
    assert (encoder.dim, encoder.input_size) == (512, 384)
    assert (encoder.identity.mean, encoder.identity.std) == (HALF, HALF)
    features, expected = features_of(encoder, open_clip_model(encoder), "encode_image")
    assert relative_difference(features, expected) < 1e-5


def test_metaclip2_equals_open_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The smallest that open_clip has is ViT-L; this is the H with fewer and narrower layers.
    config = open_clip.get_model_config("ViT-H-14-worldwide-quickgelu")
    config["vision_cfg"] |= {"layers": 2, "width": 320, "image_size": 56}
    config["text_cfg"] = {"layers": 1, "width": 64, "heads": 1, "vocab_size": 10}
    (tmp_path / "tiny-worldwide-quickgelu.json").write_text(json.dumps(config))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", {})
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [])
    open_clip.add_model_config(tmp_path)
    encoder = Encoder.load(EncoderSpec("tiny-worldwide-quickgelu", "random:0"))
    assert (encoder.dim, encoder.input_size) == (1024, 56)
    assert any(isinstance(module, nn.SiLU) for module in encoder.modules())  # QuickGELU's
    features, expected = features_of(encoder, open_clip_model(encoder), "encode_image")
    assert relative_difference(features, expected) < 1e-5


def test_dinov3_equals_timm() -> None:
    encoder = Encoder.load(EncoderSpec.parse("timm/vit_small_patch16_dinov3:random:5"))
    assert (encoder.dim, encoder.input_size) == (384, 256)
    assert (encoder.identity.mean, encoder.identity.std) == IMAGENET
    with torch.random.fork_rng():
        torch.manual_seed(5)
        own = timm.create_model("vit_small_patch16_dinov3", num_classes=0)
    features, expected = features_of(encoder, own, "forward")
    assert relative_difference(features, expected) < 1e-5


@pytest.mark.parametrize(
    ("short", "size", "dim", "statistics", "millions"),
    [
        ("clip-vit-l14", 224, 768, CLIP, 304),
        ("pe-core-l14", 336, 1024, (HALF, HALF), 317),
        ("metaclip2-h14", 224, 1024, CLIP, 632),
        ("dinov3-l16", 256, 1024, IMAGENET, 303),
    ],
)
def test_large_ones_without_their_memory(
    short: str, size: int, dim: int, statistics: tuple[Triple, Triple], millions: int
) -> None:
    arch = EncoderSpec.parse(short).arch
    with torch.device("meta"):
        tower, file = build_tower(EncoderSpec(arch, "random:0"))
    assert file is None
    assert (tower.input_size, tower.dim, (tower.mean, tower.std)) == (size, dim, statistics)
    assert round(sum(p.numel() for p in tower.module.parameters()) / 1e6) == millions
    kinds = {type(module).__name__ for module in tower.module.modules()}
    assert ("QuickGELU" in kinds) == arch.endswith("-quickgelu")


@pytest.mark.parametrize("short", ["pe-core-l14", "metaclip2-h14"])
def test_the_tags_statistics_are_the_architectures(short: str) -> None:
    # The test above asks for random weights, for which no tag speaks.
    spec = EncoderSpec.parse(short)
    entry = open_clip.get_pretrained_cfg(spec.name, spec.weights)
    assert (tuple(entry["mean"]), tuple(entry["std"])) == (
        (HALF, HALF) if short == "pe-core-l14" else CLIP
    )
    assert open_clip.list_pretrained_tags_by_model(spec.name) == [spec.weights]


def test_dinov3_of_photographs_not_of_satellites() -> None:
    spec = EncoderSpec.parse("dinov3-l16")
    config = timm.models.get_pretrained_cfg(f"{spec.name}.{spec.weights}")
    assert (config.mean, config.std) == IMAGENET  # those of sat493m are others
