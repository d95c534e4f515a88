"""CLIP through our encoder, against open_clip's own model and against a forward of our own."""

from __future__ import annotations

import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

from tests.unit.encoders.inputs import (
    clip_state,
    normalised,
    random_pixels,
    relative_difference,
)
from tests.unit.encoders.openai_vit import encode_image
from ufd_ray.encoders import Encoder, EncoderSpec

PIXELS = random_pixels(2)


@pytest.fixture(scope="module")
def vit_l14() -> Encoder:
    """The paper's encoder; more than a gigabyte, so it is built once."""
    return Encoder.load(EncoderSpec.parse("ViT-L-14-quickgelu:random:0"))


@pytest.fixture(scope="module")
def features(vit_l14: Encoder) -> Tensor:
    return torch.from_numpy(vit_l14.encode(PIXELS))


def open_clip_features(arch: str, encoder: Encoder) -> Tensor:
    """`encode_image` of the library's whole model; on `meta`, the text side takes no memory."""
    with torch.device("meta"):
        model = open_clip.model.CLIP(**open_clip.get_model_config(arch)).eval()
    visual = {k.removeprefix("visual."): v for k, v in clip_state(encoder).items()}
    model.visual.load_state_dict(visual, assign=True)
    with torch.inference_mode():
        result: Tensor = model.encode_image(normalised(PIXELS[:1], encoder.identity))
    return result


def test_vit_l14_dimensions_and_statistics(vit_l14: Encoder) -> None:
    identity = vit_l14.identity
    assert (identity.dim, identity.input_size) == (768, 224)
    assert identity.mean == (0.48145466, 0.4578275, 0.40821073)
    assert identity.std == (0.26862954, 0.26130258, 0.27577711)


def test_vit_l14_equals_open_clip(vit_l14: Encoder, features: Tensor) -> None:
    own = open_clip_features("ViT-L-14-quickgelu", vit_l14)
    assert relative_difference(features[:1], own) < 1e-5


def test_vit_l14_equals_an_independent_forward(vit_l14: Encoder, features: Tensor) -> None:
    pixels = normalised(PIXELS[:1], vit_l14.identity)
    state = clip_state(vit_l14)
    assert relative_difference(features[:1], encode_image(state, pixels)) < 1e-5
    # The comparison above would notice a wrong activation function.
    assert relative_difference(features[:1], encode_image(state, pixels, gelu)) > 1e-3


def test_the_rest_of_the_batch_matters_little(vit_l14: Encoder, features: Tensor) -> None:
    assert relative_difference(features[1:], vit_l14.encode(PIXELS[1:])) < 1e-5


def test_features_are_not_normalised(features: Tensor) -> None:
    assert ((features.norm(dim=1) - 1).abs() > 0.1).all()


def test_rn50_equals_open_clip() -> None:
    encoder = Encoder.load(EncoderSpec.parse("RN50-quickgelu:random:0"))
    assert encoder.dim == 1024
    own = open_clip_features("RN50-quickgelu", encoder)
    assert relative_difference(encoder.encode(PIXELS[:1]), own) < 1e-5
