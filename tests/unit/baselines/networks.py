"""Small networks of every baseline, pictures to teach them, and what is counted of networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ufd_ray.baselines import Baseline, baseline_named

PUBLISHED = (
    "resnet50-blur-jpeg-0.1",
    "resnet50-blur-jpeg-0.5",
    "clip-vit-l14-tuned",
    "patch-resnet50-layer1",
    "patch-xception-block2",
    "co-occurrence",
    "spectrum",
)
SMALL = {
    "resnet50-blur-jpeg-0.5": "timm/test_resnet",
    "clip-vit-l14-tuned": "timm/test_vit",
    "patch-resnet50-layer1": "resnet18-layer1",
    "patch-xception-block2": "xception-block1",
    "co-occurrence": "conv-8-16-32",
    "spectrum": "timm/test_resnet",
}


def small(name: str) -> Baseline:
    return baseline_named(name, SMALL[name])


def seeded(baseline: Baseline, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return baseline.build()


def pictures(num_images: int, size: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Noise, by turns as it is (0) and smoothed along rows (1): uint8 pixels, int64 labels."""
    numbers = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (num_images, size, size, 3), generator=numbers)
    labels = torch.arange(num_images) % 2
    smooth = (pixels + pixels.roll(1, dims=2)) // 2
    return torch.where(labels.view(-1, 1, 1, 1) == 1, smooth, pixels).to(torch.uint8), labels


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
