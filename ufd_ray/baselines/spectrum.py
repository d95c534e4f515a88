"""The spectrum classifier: a network that sees how strong each frequency of an image is.

Source: Zhang et al., WIFS 2019, and its released code; the row `Freq. spectrum` of the paper's
Tables 2 and 3, trained on CycleGAN's images. It was made for images of 256 × 256 pixels and makes
others that size; here it is their shorter side that becomes 256, and the crop takes what is over.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ufd_ray.baselines.backbones import PRETRAINED, build_backbone
from ufd_ray.baselines.baseline import Baseline, TrainingRecipe
from ufd_ray.baselines.network import BackboneAndHead
from ufd_ray.baselines.pixels import channels_first
from ufd_ray.images import PixelRecipe

FLOOR = 1e-3
"""Added to magnitudes before their logarithm is taken."""
PERCENTILES = (0.05, 0.95)
"""These become -1 and 1, and what lies beyond is clipped."""
ARCHS = ("torchvision/resnet34", "torchvision/resnet18", "timm/test_resnet")
"""The published one first."""
RECIPE = TrainingRecipe(
    "sgd", learning_rate=0.01, batch_size=16, max_epochs=20, stops_early=False,
    momentum=0.9, dampening=0.9, weight_decay=1e-4,
)  # fmt: skip


class SpectrumClassifier(Baseline):
    """A pretrained network on the log magnitudes of each channel's Fourier transform.

    Args:
        name: see `Baseline`.
        arch: of `PRETRAINED`.
        is_published: see `Baseline`.
    """

    def __init__(self, name: str, arch: str, is_published: bool) -> None:
        super().__init__(name, arch, is_published)
        self.backbone_arch, self.weights_tag = arch, PRETRAINED[arch]
        self.recipe = RECIPE
        self.test_pixels = self.validation_pixels = PixelRecipe(224, 256)
        self.train_pixels = replace(self.test_pixels, crop="random")

    def build(self) -> nn.Module:
        """Float32 (n, 3, 224, 224) → logits of real and fake, float32 (n, 2)."""
        backbone, dim = build_backbone(self.arch)
        return BackboneAndHead(backbone, nn.Linear(dim, 2))

    def inputs(self, pixels: Tensor) -> Tensor:
        """Spectra, float32 (n, 3, size, size)."""
        return spectra(pixels)

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy, float32 (n,)."""
        return nn.functional.cross_entropy(outputs.float(), labels, reduction="none")

    def scores(self, outputs: Tensor) -> Tensor:
        """The softmax of fake, float32 (n,)."""
        return outputs.float().softmax(1)[:, 1]


def spectra(pixels: Tensor) -> Tensor:
    """Log magnitudes of each channel's Fourier transform, each by its own percentiles.

    Args:
        pixels: uint8 (n, height, width, 3).

    Returns:
        Float32 (n, 3, height, width), -1 … 1. Frequency 0 comes first: nothing is shifted. What
        an image of one color has beside it are rounding errors, and fill the range as well.
    """
    logs = torch.log(torch.fft.fft2(channels_first(pixels)).abs() + FLOOR)
    bounds = torch.tensor(PERCENTILES, device=logs.device)
    low, high = torch.quantile(logs.flatten(2), bounds, dim=2)[..., None, None]
    # Both percentiles of a black image are the same.
    span = (high - low).clamp_min(torch.finfo(logs.dtype).tiny)
    scaled: Tensor = (logs - low) / span * 2 - 1
    return scaled.clamp(-1, 1)
