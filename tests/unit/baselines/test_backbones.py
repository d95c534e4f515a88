"""Weights that an encoder takes are those that a network starts from."""

from __future__ import annotations

import pytest
import torch

from tests.unit.baselines.networks import num_parameters, pictures, seeded, small
from ufd_ray.baselines import baseline_named
from ufd_ray.baselines.backbones import PRETRAINED, build_backbone
from ufd_ray.encoders import EncoderSpec
from ufd_ray.encoders.build import build_tower
from ufd_ray.errors import SettingsError


@pytest.mark.parametrize("arch", PRETRAINED)
def test_tensors_are_named_as_the_encoders(arch: str) -> None:
    with torch.device("meta"):
        backbone, dim = build_backbone(arch)
        tower, _ = build_tower(EncoderSpec(arch, "random:0"))
    assert dim == tower.dim
    shapes = [
        {name: tensor.shape for name, tensor in module.state_dict().items()}
        for module in (backbone, tower.module)
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("arch", PRETRAINED)
def test_tags_exist(arch: str) -> None:
    EncoderSpec(arch, PRETRAINED[arch]).check()


def test_sizes() -> None:
    """Against what is published of the whole classifiers: 25,557,032 and 21,797,672 parameters."""
    with torch.device("meta"):
        trained = baseline_named("resnet50-blur-jpeg-0.5").build()
        spectrum = baseline_named("spectrum").build()
        clip = baseline_named("clip-vit-l14-tuned").build()
    assert num_parameters(trained) == 25_557_032 - (2048 + 1) * 1000 + 2049
    assert num_parameters(spectrum) == 21_797_672 - (512 + 1) * 1000 + 513 * 2
    # 24 blocks of width 1024; patches, positions, class token; two norms; the projection.
    block = 4 * 1024 * 1025 + (1024 + 1) * 4096 + (4096 + 1) * 1024 + 4 * 1024
    around = 3 * 14**2 * 1024 + 257 * 1024 + 1024 + 4 * 1024 + 1024 * 768
    assert num_parameters(clip) == 24 * block + around + 769 == 303_966_977


def test_a_network_starts_from_an_encoders_weights() -> None:
    baseline = small("resnet50-blur-jpeg-0.5")
    tower, _ = build_tower(EncoderSpec("timm/test_resnet", "random:7"))
    network = seeded(baseline)
    head = {name: tensor.clone() for name, tensor in network.head.state_dict().items()}
    baseline.start_from(network, tower.module.state_dict())
    inputs = baseline.inputs(pictures(2)[0])
    features = baseline.features(network.eval(), inputs)
    assert features is not None
    assert torch.equal(features, tower.module.eval()(inputs))
    assert torch.equal(network(inputs), network.head(features))
    assert all(torch.equal(head[name], network.head.state_dict()[name]) for name in head)


def test_weights_of_another_architecture_are_refused() -> None:
    baseline = small("resnet50-blur-jpeg-0.5")
    tower, _ = build_tower(EncoderSpec("torchvision/resnet18", "random:0"))
    with pytest.raises(SettingsError, match="starts from timm/test_resnet, and these weights"):
        baseline.start_from(seeded(baseline), tower.module.state_dict())


def test_from_scratch_is_from_scratch() -> None:
    baseline = small("co-occurrence")
    with pytest.raises(SettingsError, match="co-occurrence is trained from scratch"):
        baseline.start_from(seeded(baseline), {})
