"""The co-occurrence detector: which values of a channel stand beside each other, and how often.

Source: Nataraj et al., Electronic Imaging 2019; the row `Co-occurence` of the paper's Tables 2 and
3. The sources leave open what matrices are divided by, padding, pooling, initialisation, learning
rate and batch size, and how large the part of an image is that is counted: these are ours, and
DESIGN.md says why they are as they are.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ufd_ray.baselines.baseline import Baseline, TrainingRecipe
from ufd_ray.baselines.network import BackboneAndHead
from ufd_ray.images import PixelRecipe

VALUES = 256
"""Of a channel of a pixel."""
SIZE = 256
"""Side of the square whose pixels are counted, pixels."""
OPTIONS = {
    "offset": tuple(str(offset) for offset in range(1, SIZE)),
    "symmetric": ("no", "yes"),
}
"""The published ones first."""
CHANNELS = {"conv-32-64-128": (32, 64, 128), "conv-8-16-32": (8, 16, 32)}
"""Of the three pairs of convolutions, by architecture; likewise."""
ARCHS = tuple(CHANNELS)
RECIPE = TrainingRecipe("adam", learning_rate=1e-4, batch_size=64)
SMALL_RECIPE = replace(RECIPE, learning_rate=1e-3, batch_size=32)


class CoOccurrence(Baseline):
    """A network on the co-occurrence matrices of the three channels.

    Args:
        name: see `Baseline`.
        arch: of `ARCHS`.
        is_published: see `Baseline`.
        offset: from a pixel to the one it is counted with, to the right, pixels: a whole number.
        symmetric: `yes`: each pair is counted in both orders.
    """

    has_batch_norm = False

    def __init__(
        self, name: str, arch: str, is_published: bool, offset: str = "1", symmetric: str = "no"
    ) -> None:
        super().__init__(name, arch, is_published)
        self.options = {"offset": offset, "symmetric": symmetric}
        self.offset, self.symmetric = int(offset), symmetric == "yes"
        self.recipe = RECIPE if arch == ARCHS[0] else SMALL_RECIPE
        self.train_pixels = self.validation_pixels = self.test_pixels = PixelRecipe(SIZE)

    def build(self) -> nn.Module:
        """Float32 (n, 3, 256, 256) → one logit an image, float32 (n, 1)."""
        layers: list[nn.Module] = []
        channels, side = 3, VALUES
        for width in CHANNELS[self.arch]:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
            channels, side = width, side // 2
        dense = 2 * channels
        layers += [nn.Flatten(), nn.Linear(channels * side * side, dense), nn.ReLU()]
        layers += [nn.Linear(dense, dense), nn.ReLU()]
        return BackboneAndHead(nn.Sequential(*layers), nn.Linear(dense, 1)).apply(_init_weights)

    def inputs(self, pixels: Tensor) -> Tensor:
        """Co-occurrence matrices as shares of all pairs, times 256: float32 (n, 3, 256, 256)."""
        counts = count_pairs(pixels, self.offset, self.symmetric)
        # Neighbours are nearly alike: on the diagonal a share is about 1/256.
        return counts * (VALUES / counts.sum((2, 3), keepdim=True))


def count_pairs(pixels: Tensor, offset: int, symmetric: bool) -> Tensor:
    """Count how often each pair of values stands side by side, on the pixels' device.

    Args:
        pixels: uint8 (n, height, width, 3).
        offset: from the left pixel of a pair to the right one, pixels, less than the width.
        symmetric: each pair counts in both orders.

    Returns:
        Int64 (n, 3, 256, 256): image, channel, left value, right value. A matrix sums up to
        height × (width - offset), twice that if symmetric.
    """
    num_images, _, _, channels = pixels.shape
    values = pixels.int()
    pairs = values[:, :, :-offset] * VALUES + values[:, :, offset:]
    numbers = torch.arange(num_images * channels, dtype=torch.int32, device=pixels.device)
    pairs += numbers.view(num_images, 1, 1, channels) * VALUES**2
    counts = torch.bincount(pairs.flatten(), minlength=num_images * channels * VALUES**2)
    counts = counts.view(num_images, channels, VALUES, VALUES)
    return counts + counts.transpose(2, 3) if symmetric else counts


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
