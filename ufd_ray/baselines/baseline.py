"""What each of the paper's other detectors is: how its pixels are made, its network, its recipe.

Source: the paper's section 5.2 (baselines) and the published code of each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from ufd_ray.errors import SettingsError
from ufd_ray.images import PixelRecipe


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is trained.

    Attributes:
        optimizer: whose steps.
        learning_rate: at the start.
        batch_size: images of a step, over all workers.
        max_epochs: after so many it ends at the latest.
        stops_early: whether the learning rate falls, and training ends, by the accuracy on
            validation images, as published for the trained network and the probe.
        balanced: whether each batch is half real and half fake.
        momentum: of SGD; for Adam and AdamW its beta 1.
        dampening: of SGD.
        weight_decay: of SGD and AdamW.
    """

    optimizer: Literal["adam", "adamw", "sgd"]
    learning_rate: float
    batch_size: int
    max_epochs: int = 100
    stops_early: bool = True
    balanced: bool = False
    momentum: float = 0.9
    dampening: float = 0.0
    weight_decay: float = 0.0


class Baseline(ABC):
    """One of the paper's other detectors.

    Attributes:
        name: under which it stands in commands and tables.
        arch: its network's name.
        is_published: whether network and recipe are those of the paper's tables; false for small
            variants, and tables say so.
        train: how training images become pixels.
        validation: likewise, those that decide when to stop.
        test: likewise, those that are judged.
        recipe: how it is trained.
        options: what else was chosen, a word each by name. `baseline_named` of name, arch and
            options makes the same baseline again.
        backbone: the architecture that it starts from, in the words of an encoder's; None: it is
            trained from scratch.
        weights: the tag of the weights to start from, unless others are asked for; None likewise.
    """

    name: str
    arch: str
    is_published: bool
    train: PixelRecipe
    validation: PixelRecipe
    test: PixelRecipe
    recipe: TrainingRecipe
    options: Mapping[str, str] = MappingProxyType({})
    backbone: str | None = None
    weights: str | None = None

    @property
    def has_features(self) -> bool:
        """Whether it says what its last layer sees."""
        return type(self).features is not Baseline.features

    @property
    def has_heat(self) -> bool:
        """Whether it says where an image looks generated."""
        return type(self).heat is not Baseline.heat

    @abstractmethod
    def build(self) -> nn.Module:
        """The network on the CPU in float32, its numbers drawn from torch's default generator."""

    def start_from(self, network: nn.Module, backbone: Mapping[str, Tensor]) -> None:
        """Put pretrained weights into a network that `build` has made.

        Args:
            network: changed in place; its last layer stays as it was drawn.
            backbone: the state dict of an encoder of the architecture `self.backbone`, whole.

        Raises:
            SettingsError: it is that of another architecture, or the baseline starts from scratch.
        """
        if self.backbone is None:
            raise SettingsError(f"{self.name} is trained from scratch; give it no weights")
        try:
            network.get_submodule("backbone").load_state_dict(dict(backbone))
        except RuntimeError as error:
            raise SettingsError(
                f"{self.name} starts from {self.backbone}, and these weights are not of that"
                f" architecture: {' '.join(str(error).split())[:300]}"
            ) from error

    @abstractmethod
    def inputs(self, pixels: Tensor) -> Tensor:
        """What the network is given, made on the pixels' device.

        Args:
            pixels: uint8 (n, size, size, 3), RGB.

        Returns:
            float32 (n, channels, height, width).
        """

    @abstractmethod
    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """What training makes small.

        Args:
            outputs: of the network, for n inputs.
            labels: int64 (n,), 0 real, 1 fake.

        Returns:
            float32 (n,): one an image, so that the mean of a batch is the same however the batch
            is dealt out to workers.
        """

    @abstractmethod
    def scores(self, outputs: Tensor) -> Tensor:
        """P(generated), float32 (n,), 0 … 1."""

    def features(self, network: nn.Module, inputs: Tensor) -> Tensor | None:
        """What the network's last layer sees, float32 (n, dim); None: it has no such layer."""
        del network, inputs
        return None

    def heat(self, outputs: Tensor) -> Tensor | None:
        """P(generated) by place, float32 (n, rows, columns); None: it judges images whole."""
        del outputs
        return None


def binary_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy of one logit an image, float32 (n,)."""
    return torch.nn.functional.binary_cross_entropy_with_logits(
        logits.float().flatten(), labels.float(), reduction="none"
    )


def binary_scores(logits: Tensor) -> Tensor:
    """The sigmoid of one logit an image, float32 (n,)."""
    return torch.sigmoid(logits.float().flatten())
