"""The ImageNet encoders of the paper, against what reaches the libraries' own last layer."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torchvision

from tests.unit.encoders.inputs import (
    input_of_head,
    normalised,
    random_pixels,
    relative_difference,
)
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.errors import SettingsError

PIXELS = random_pixels(1)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def seeded(seed: int, build: Any, *args: Any, **kwargs: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(*args, **kwargs)


def test_resnet50_equals_timm() -> None:
    encoder = Encoder.load(EncoderSpec.parse("timm/resnet50:random:3"))
    own = seeded(3, timm.create_model, "resnet50.tv_in1k")
    assert (encoder.dim, encoder.input_size) == (2048, 224)
    assert (encoder.identity.mean, encoder.identity.std) == IMAGENET
    pixels = normalised(PIXELS, encoder.identity)
    features = encoder.encode(PIXELS)
    assert relative_difference(features, input_of_head(own, own.fc, pixels)) < 1e-5


def test_vit_b16_equals_torchvision() -> None:
    encoder = Encoder.load(EncoderSpec.parse("torchvision/vit_b_16:random:3"))
    own = seeded(3, torchvision.models.vit_b_16)
    assert (encoder.dim, encoder.input_size) == (768, 224)
    assert (encoder.identity.mean, encoder.identity.std) == IMAGENET
    pixels = normalised(PIXELS, encoder.identity)
    features = encoder.encode(PIXELS)
    assert relative_difference(features, input_of_head(own, own.heads, pixels)) < 1e-5


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("resnet18", 512),
        ("mobilenet_v3_small", 1024),
        ("efficientnet_b0", 1280),
        ("swin_t", 768),
        ("densenet121", 1024),
    ],
)
def test_torchvisions_heads_come_off(name: str, dim: int) -> None:
    encoder = Encoder.load(EncoderSpec(f"torchvision/{name}", "random:0"))
    assert encoder.encode(PIXELS).shape == (1, dim)


def test_an_architecture_without_a_linear_head_is_refused() -> None:
    with pytest.raises(SettingsError, match="does not end in a linear layer"):
        Encoder.load(EncoderSpec.parse("torchvision/squeezenet1_1:random:0"))


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "vit_tiny_patch16_224", "resnet10t"])
def test_timms_heads_come_off(name: str) -> None:
    encoder = Encoder.load(EncoderSpec(f"timm/{name}", "random:4"))
    own = seeded(4, timm.create_model, name)
    pixels = normalised(random_pixels(1, encoder.input_size), encoder.identity)
    features = encoder.encode(random_pixels(1, encoder.input_size))
    assert features.shape == (1, encoder.dim)
    expected = input_of_head(own, own.get_classifier(), pixels)
    assert relative_difference(features, expected) < 1e-5
