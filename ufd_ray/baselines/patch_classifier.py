"""The patch classifier: the first layers of a classifier judge every patch of an image by itself.

Source: Chai et al., ECCV 2020, and its released code; the rows `Patch classifier` of the paper's
Tables 2 and 3. Trained from scratch. Without a last activation between the last block and the 1×1
convolution, as in that code.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ufd_ray.baselines.backbones import build_classifier
from ufd_ray.baselines.baseline import Baseline, TrainingRecipe
from ufd_ray.baselines.network import BackboneAndHead
from ufd_ray.baselines.pixels import HALF, normalize
from ufd_ray.images import PixelRecipe

GAIN = 0.02
"""Of Xavier's normal initialisation, and the deviation of batch norms' weights around 1."""
RECIPE = TrainingRecipe("adam", learning_rate=1e-3, batch_size=32, balanced=True)
OPTIONS = {"scoring": ("mean", "votes", "mean-logits")}
"""The published one first."""


@dataclass(frozen=True)
class _Beginning:
    """The first layers of a classifier.

    Attributes:
        whole: the classifier, `LIBRARY/NAME`.
        layers: those that are kept, in order.
        channels: that come out of the last.
        size: side of the input, pixels.
    """

    whole: str
    layers: tuple[str, ...]
    channels: int
    size: int


_STEM = ("conv1", "bn1", "relu", "maxpool")
_ENTRY = ("conv1", "bn1", "act1", "conv2", "bn2", "act2", "block1")
_BEGINNINGS = {
    "resnet50-layer1": _Beginning("torchvision/resnet50", (*_STEM, "layer1"), 256, 224),
    "resnet18-layer1": _Beginning("torchvision/resnet18", (*_STEM, "layer1"), 64, 224),
    "xception-block2": _Beginning("timm/legacy_xception", (*_ENTRY, "block2"), 256, 299),
    "xception-block1": _Beginning("timm/legacy_xception", _ENTRY, 128, 299),
}
RESNETS = ("resnet50-layer1", "resnet18-layer1")
"""The published one first."""
XCEPTIONS = ("xception-block2", "xception-block1")
"""Likewise."""


class PatchClassifier(Baseline):
    """Two logits a patch, and of an image the mean of its patches.

    Args:
        name: see `Baseline`.
        arch: of `RESNETS` or `XCEPTIONS`.
        is_published: see `Baseline`.
        scoring: what an image's score is: `mean`, that of the patches' softmax; `votes`, the share
            of patches that are rather fake than real; `mean-logits`, the softmax of mean logits.
    """

    has_features = False
    has_heat = True

    def __init__(self, name: str, arch: str, is_published: bool, scoring: str = "mean") -> None:
        super().__init__(name, arch, is_published)
        self.scoring = scoring
        self.options = {"scoring": scoring}
        self.recipe = RECIPE
        size = _BEGINNINGS[arch].size
        self.test_pixels = self.validation_pixels = PixelRecipe(size, size, "lanczos")
        self.train_pixels = replace(self.test_pixels, flipped=0.5)

    def build(self) -> nn.Module:
        """Float32 (n, 3, size, size) → logits of real and fake, float32 (n, 2, rows, columns).

        At their size, 56 × 56 patches for `resnet50-layer1`, 37 × 37 for `xception-block2`.
        """
        beginning = _BEGINNINGS[self.arch]
        with torch.device("meta"):  # layers that are cut off never take memory
            whole = build_classifier(beginning.whole)
            kept = OrderedDict((name, getattr(whole, name)) for name in beginning.layers)
            head = nn.Conv2d(beginning.channels, 2, kernel_size=1)
        network = BackboneAndHead(nn.Sequential(kept), head).to_empty(device="cpu")
        return network.apply(_init_weights)

    def inputs(self, pixels: Tensor) -> Tensor:
        """Pixels from -1 to 1, float32 (n, 3, size, size)."""
        return normalize(pixels, HALF)

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Mean cross entropy of an image's patches, each of which has the image's label."""
        of_patches = labels.view(-1, 1, 1).expand(-1, *outputs.shape[2:])
        losses = nn.functional.cross_entropy(outputs.float(), of_patches, reduction="none")
        return losses.mean((1, 2))

    def scores(self, outputs: Tensor) -> Tensor:
        """By `scoring`, float32 (n,)."""
        if self.scoring == "votes":
            return (outputs[:, 1] > outputs[:, 0]).float().mean((1, 2))
        if self.scoring == "mean-logits":
            return outputs.float().mean((2, 3)).softmax(1)[:, 1]
        return self.heat(outputs).mean((1, 2))

    def heat(self, outputs: Tensor) -> Tensor:
        """P(generated) by patch, float32 (n, rows, columns)."""
        return outputs.float().softmax(1)[:, 1]


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight, gain=GAIN)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
        nn.init.normal_(module.weight, 1.0, GAIN)
