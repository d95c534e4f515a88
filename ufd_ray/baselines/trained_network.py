"""The trained deep network: an ImageNet classifier taught to tell real from fake.

Source: Wang et al., CVPR 2020, and its released code; the paper's section 3.1, and the rows
`Trained deep network` of its Tables 2 and 3, where training images are blurred and compressed with
probability .1 or .5. That the bias of the last layer starts at 0 is ours.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from ufd_ray.baselines.backbones import PRETRAINED, build_backbone
from ufd_ray.baselines.baseline import Baseline, TrainingRecipe
from ufd_ray.baselines.network import BackboneAndHead, new_head
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
        recipe: see `Baseline`; the small networks, timm's, have a higher rate and smaller batches,
            since they are for few images.
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
        super().__init__(name, arch, is_published)
        self.backbone_arch, self.weights_tag = arch, PRETRAINED[arch]
        if arch.startswith("timm/"):
            recipe = replace(recipe, learning_rate=1e-3, batch_size=32)
        self.recipe = recipe
        self.has_batch_norm = "vit" not in arch.lower()
        self.statistics = statistics
        self.train_pixels = PixelRecipe(224, 256, perturbed=perturbed, crop="random", flipped=0.5)
        self.validation_pixels = replace(self.train_pixels, fixed=True, crop="centre", flipped=0.0)
        self.test_pixels = PixelRecipe(224)

    def build(self) -> nn.Module:
        """Float32 (n, 3, 224, 224) → one logit an image, float32 (n, 1)."""
        backbone, dim = build_backbone(self.arch)
        return BackboneAndHead(backbone, new_head(dim))

    def inputs(self, pixels: Tensor) -> Tensor:
        """Normalised pixels, float32 (n, 3, size, size)."""
        return normalize(pixels, self.statistics)
