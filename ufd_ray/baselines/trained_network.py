"""The trained deep network: an ImageNet classifier taught to tell real from fake.

Source: Wang et al., CVPR 2020, and its released code; the paper's section 3.1, and the rows
`Trained deep network` of its Tables 2 and 3, where training images are blurred and compressed with
probability .1 or .5. That the bias of the last layer starts at 0 is ours.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from ufd_ray.baselines.backbones import PRETRAINED, build_backbone
from ufd_ray.baselines.baseline import (
    Baseline,
    TrainingRecipe,
    binary_losses,
    binary_scores,
)
from ufd_ray.baselines.network import BackboneAndHead, new_head, penultimate
from ufd_ray.baselines.pixels import IMAGENET, Statistics, normalize
from ufd_ray.images import PixelRecipe

ARCHS = ("torchvision/resnet50", "torchvision/resnet18", "timm/test_resnet")
"""The published one first."""
RECIPE = TrainingRecipe("adam", learning_rate=1e-4, batch_size=64)


class TrainedNetwork(Baseline):
    """A pretrained network with a new last layer of one logit, all of it trained.

    Args:
        name: see `Baseline`.
        arch: of `PRETRAINED`.
        is_published: see `Baseline`.
        perturbed: share of training images that are blurred, and of those that are compressed.
        recipe: see `Baseline`; of networks of timm, which are small enough to be trained from
            random numbers on few images, rate and batch are other ones.
        statistics: what pixels are normalised by.
    """

    def __init__(
        self,
        name: str,
        arch: str,
        is_published: bool,
        perturbed: float,
        recipe: TrainingRecipe = RECIPE,
        statistics: Statistics = IMAGENET,
    ) -> None:
        self.name, self.arch, self.is_published = name, arch, is_published
        self.backbone, self.weights = arch, PRETRAINED[arch]
        is_small = arch.startswith("timm/")
        self.recipe = replace(recipe, learning_rate=1e-3, batch_size=32) if is_small else recipe
        self.statistics = statistics
        self.train = PixelRecipe(224, 256, perturbed=perturbed, crop="random", flipped=0.5)
        self.validation = replace(self.train, fixed=True, crop="centre", flipped=0.0)
        self.test = PixelRecipe(224)

    def build(self) -> nn.Module:
        """Float32 (n, 3, 224, 224) → one logit an image, float32 (n, 1)."""
        backbone, dim = build_backbone(self.arch)
        return BackboneAndHead(backbone, new_head(dim))

    def inputs(self, pixels: Tensor) -> Tensor:
        """Normalised pixels, float32 (n, 3, size, size)."""
        return normalize(pixels, self.statistics)

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Binary cross entropy, float32 (n,)."""
        return binary_losses(outputs, labels)

    def scores(self, outputs: Tensor) -> Tensor:
        """The logit's sigmoid, float32 (n,)."""
        return binary_scores(outputs)

    def features(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """What the last layer sees, where Fig. 2 shows the sink class: float32 (n, dim)."""
        return penultimate(network, inputs)
