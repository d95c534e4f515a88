"""A baseline that learns within seconds, without batch norm, and pictures to tell apart."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from tests.crawl.handmade import HERE
from tests.unit.images.samples import noise
from ufd_ray.baselines import BASELINES, Baseline, TrainingRecipe, load_network, score_pixels
from ufd_ray.baselines.known import Known
from ufd_ray.baselines.network import BackboneAndHead
from ufd_ray.encoders.tower import own_random_numbers
from ufd_ray.images import PixelRecipe, decode, to_pixels
from ufd_ray.storage import (
    network_file,
    read_baseline_info,
    write_document,
    write_network,
)

NAME, ARCH = "tiny", "convolutions"


class Tiny(Baseline):
    """Two convolutions and a mean."""

    has_batch_norm = False

    def __init__(self, name: str, arch: str, is_published: bool) -> None:
        super().__init__(name, arch, is_published)
        self.train_pixels = PixelRecipe(32, 36, perturbed=0.1, crop="random", flipped=0.5)
        self.validation_pixels = PixelRecipe(32, 36, perturbed=0.1, fixed=True)
        self.test_pixels = PixelRecipe(32)
        self.recipe = TrainingRecipe("adam", 1e-2, batch_size=12, max_epochs=2)

    def build(self) -> nn.Module:
        layers = (nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU())
        backbone = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return BackboneAndHead(backbone, nn.Linear(8, 1))

    def inputs(self, pixels: Tensor) -> Tensor:
        return pixels.permute(0, 3, 1, 2).to(torch.float32) / 128 - 1


@contextmanager
def tiny_known() -> Iterator[None]:
    """Within the block, `--baseline tiny` is known in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BASELINES, NAME, Known(Tiny, (ARCH,)))
        yield


def write_pictures(folder: Path, num_of_a_class: int, seed: int = 0) -> Path:
    """Noise as it is (real), and smoothed along rows (fake), in the folders of labels."""
    for label, name in enumerate(("0_real", "1_fake")):
        (folder / name).mkdir(parents=True)
        for number in range(num_of_a_class):
            pixels = noise(44, 40, seed=10_000 * seed + 2 * number + label).astype(np.uint16)
            if label:
                pixels = (pixels + np.roll(pixels, 1, axis=1)) // 2
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:03d}.png")
    return folder


def save_untrained(folder: Path, source: str = "training") -> Path:
    """The baseline before its first step, with a threshold, and a folder of images, as it were."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "network.safetensors")
        with own_random_numbers(5):
            network = Tiny(NAME, ARCH, True).build()
        safetensors.torch.save_file(network.state_dict(), file)
        written = write_network(str(folder), file, HERE)
    content = {
        "name": NAME,
        "arch": ARCH,
        "options": {},
        "starts_from": None,
        "is_published": False,
        "thresholds": {"default": 0.5, "tuned": 0.25},
        "counts": {"train": {"source": {}}},
        "settings": {"input": [f"/train/{source}"]},
        "network": written,
    }
    write_document(str(folder), "baseline.json", content, HERE)
    return folder


def scores_without_ray(folder: Path, files: Sequence[Path]) -> NDArray[np.float32]:
    """What a saved one says of files, (n,)."""
    info = read_baseline_info(str(folder), "--compare-baseline", HERE)
    baseline = Tiny(NAME, ARCH, True)
    with network_file(info, HERE) as file:
        network = load_network(baseline, file)
    images = [decode(file.read_bytes(), max_pixels=10**6) for file in files]
    pixels = np.stack(
        [to_pixels(one, mode="crop", size=baseline.test_pixels.size) for one in images]
    )
    return score_pixels(baseline, network, pixels)
