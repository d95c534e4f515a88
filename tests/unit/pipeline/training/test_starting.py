"""What a network is before its first step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.crawl.handmade import HERE
from ufd_ray.baselines import baseline_named
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.build import build_tower
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.training.starting import new_network, starting_spec

SMALL = baseline_named("resnet50-blur-jpeg-0.5", "timm/test_resnet")
FROM_SCRATCH = baseline_named("co-occurrence", "conv-8-16-32")


def test_the_backbone_has_the_weights_and_the_rest_is_drawn() -> None:
    spec = starting_spec(SMALL, "random:3", HERE)
    assert spec == EncoderSpec("timm/test_resnet", "random:3")
    network, file = new_network(SMALL, spec, 1, HERE)
    assert file is None, "random numbers come from no file"
    weights = build_tower(spec, storage=HERE)[0].module.state_dict()
    backbone = network.get_submodule("backbone").state_dict()
    assert backbone.keys() == weights.keys()
    assert all(torch.equal(backbone[name], weights[name]) for name in weights)
    head = network.get_submodule("head").state_dict()["weight"]
    again, other = (
        new_network(SMALL, spec, seed, HERE)[0].get_submodule("head").state_dict()["weight"]
        for seed in (1, 2)
    )
    assert torch.equal(head, again)
    assert not torch.equal(head, other)


def test_unfrozen_lite0_starts_as_the_frozen_encoder_is() -> None:
    baseline = baseline_named("clip-vit-l14-tuned", "timm/tf_efficientnet_lite0")
    spec = starting_spec(baseline, None, HERE)
    assert spec is not None
    encoder = Encoder.load(EncoderSpec.parse("lite0"))
    network, file = new_network(baseline, spec, 1, HERE)
    network.eval()
    assert file is not None
    assert encoder.weights_file is not None
    assert file.sha256 == encoder.weights_file.sha256
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    with torch.inference_mode():
        found = baseline.features(network, baseline.inputs(torch.from_numpy(pixels)))
    np.testing.assert_allclose(found.numpy(), encoder.encode(pixels), atol=1e-4)


def test_weights_of_another_architecture_are_refused() -> None:
    spec = EncoderSpec("timm/test_vit", "random:3")
    with pytest.raises(SettingsError, match="starts from timm/test_resnet, and these weights"):
        new_network(SMALL, spec, 1, HERE)


def test_from_scratch_nothing_is_started_from() -> None:
    assert starting_spec(FROM_SCRATCH, None, HERE) is None
    with pytest.raises(SettingsError, match="trained from scratch; leave it out"):
        starting_spec(FROM_SCRATCH, "random:1", HERE)


def test_a_file_is_found_wherever_a_worker_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"there is no weights file 'weights\.pt'"):
        starting_spec(SMALL, "weights.pt", HERE)
    Path("weights.pt").touch()
    spec = starting_spec(SMALL, "weights.pt", HERE)
    assert spec is not None
    assert spec.weights == str(tmp_path / "weights.pt")
