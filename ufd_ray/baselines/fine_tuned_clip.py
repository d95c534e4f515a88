"""CLIP's image encoder, no longer frozen: what becomes of the paper's encoder when it is trained.

Source: the paper's section 5.2, and the row `ViT:CLIP (B+J 0.5)` of its Tables 2 and 3.
"""

from __future__ import annotations

from ufd_ray.baselines.backbones import LITE0
from ufd_ray.baselines.baseline import TrainingRecipe
from ufd_ray.baselines.pixels import CLIP, HALF
from ufd_ray.baselines.trained_network import TrainedNetwork

ARCHS = ("ViT-L-14-quickgelu", "ViT-B-32-quickgelu", LITE0, "timm/test_vit")
"""The published one first."""
RECIPE = TrainingRecipe("adamw", learning_rate=1e-4, batch_size=256)


class FineTunedClip(TrainedNetwork):
    """The encoder with its projection, and one logit on what comes out of it, all of it trained.

    Args:
        name: see `Baseline`.
        arch: of `PRETRAINED`.
        is_published: see `Baseline`.
    """

    def __init__(self, name: str, arch: str, is_published: bool) -> None:
        statistics = HALF if arch == LITE0 else CLIP  # those that its encoder takes
        super().__init__(name, arch, is_published, 0.5, RECIPE, statistics)
