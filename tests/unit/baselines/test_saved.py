from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from tests.unit.baselines.networks import pictures, seeded, small
from ufd_ray.baselines import load_network
from ufd_ray.errors import UfdError


def test_a_saved_network_says_the_same(tmp_path: Path) -> None:
    baseline, file = small("patch-resnet50-layer1"), tmp_path / "network.safetensors"
    network = seeded(baseline, 3).eval()
    safetensors.torch.save_file(network.state_dict(), file)
    loaded = load_network(baseline, file)
    assert not loaded.training
    pixels, _ = pictures(2)
    with torch.inference_mode():
        inputs = baseline.inputs(pixels)
        assert torch.equal(network(inputs), loaded(inputs))


def test_files_that_are_no_such_network(tmp_path: Path) -> None:
    baseline, file = small("patch-resnet50-layer1"), tmp_path / "network.safetensors"
    safetensors.torch.save_file({"one": torch.zeros(3)}, file)
    with pytest.raises(UfdError, match="is no network of patch-resnet50-layer1, resnet18-layer1"):
        load_network(baseline, file)
    file.write_bytes(b"\x80\x04 something else")
    with pytest.raises(UfdError, match="is no network of"):
        load_network(baseline, file)
