"""A plain name with a tag that was trained with QuickGELU must end in QuickGELU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import gelu

from tests.unit.encoders.inputs import (
    clip_state,
    normalised,
    random_pixels,
    relative_difference,
)
from tests.unit.encoders.openai_vit import encode_image
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.activation import architecture_as_trained
from ufd_ray.errors import SettingsError

PIXELS = random_pixels(1)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    encoder = Encoder.load(EncoderSpec.parse("ViT-B-32:random:7"))
    return {name: tensor.half() for name, tensor in clip_state(encoder).items()}


@pytest.fixture(scope="module")
def checkpoint(
    state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """As OpenAI's: half precision, with the text side and a number in it."""
    file = tmp_path_factory.mktemp("clip") / "ViT-B-32.safetensors"
    rest = {"text_projection": torch.zeros(512, 512), "input_resolution": torch.tensor(224)}
    save_file(state | rest, file)
    yield file
    file.unlink()


def test_the_tag_decides(state: dict[str, Tensor], checkpoint: Path) -> None:
    plain = Encoder.load(EncoderSpec.parse("ViT-B-32:openai"), weights_file=checkpoint)
    kinds = {type(module).__name__ for module in plain.modules()}
    assert "SiLU" in kinds  # what QuickGELU becomes once its constant is in the weights
    assert "GELU" not in kinds
    pixels = normalised(PIXELS, plain.identity)
    full = {name: tensor.float() for name, tensor in state.items()}
    features = plain.encode(PIXELS)
    assert relative_difference(features, encode_image(full, pixels)) < 1e-5
    assert relative_difference(features, encode_image(full, pixels, gelu)) > 1e-3

    # And the identity says so: the same as under the name with the right activation function.
    assert (plain.identity.arch, plain.identity.weights) == ("ViT-B-32-quickgelu", "openai")
    spec = EncoderSpec.parse("ViT-B-32-quickgelu:openai")
    named = Encoder.load(spec, weights_file=str(checkpoint))
    assert named.identity == plain.identity


def test_without_a_tag_the_name_decides(checkpoint: Path) -> None:
    plain = Encoder.load(EncoderSpec.parse(f"ViT-B-32:{checkpoint}"))
    assert any(isinstance(module, nn.GELU) for module in plain.modules())
    assert plain.identity.arch == "ViT-B-32"


def test_a_tag_trained_without_is_refused(tmp_path: Path) -> None:
    spec = EncoderSpec("ViT-B-32-quickgelu", "laion2b_s34b_b79k")
    with pytest.raises(SettingsError, match="trained without it; ask for ViT-B-32:laion2b"):
        Encoder.load(spec, weights_file=tmp_path)


def test_every_tag_of_open_clip_gets_its_own() -> None:
    for arch, tag in open_clip.list_pretrained():
        if arch == "roberta-ViT-B-32":  # the name has QuickGELU, the tag's entry has not
            with pytest.raises(SettingsError, match="choose another architecture"):
                architecture_as_trained(arch, tag)
            continue
        config = open_clip.get_model_config(architecture_as_trained(arch, tag))
        trained = open_clip.get_pretrained_cfg(arch, tag).get("quick_gelu", False)
        assert config.get("quick_gelu", False) == trained, (arch, tag)


def test_statistics_that_cannot_be_told_are_asked_for(tmp_path: Path) -> None:
    # One of LAION's ViT-L-14 was trained with mean and std .5, the others with OpenAI's.
    file = tmp_path / "mine.pt"
    file.touch()
    with pytest.raises(SettingsError, match="different means and stds; give ViT-L-14:TAG"):
        Encoder.load(EncoderSpec.parse(f"ViT-L-14:{file}"))
