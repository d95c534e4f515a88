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
    """One of the paper's other detectors. As it stands here it makes one logit an image.

    Args:
        name: under which it stands in commands and tables.
        arch: its network's name.
        is_published: whether network and recipe are those of the paper's tables; false for small
            variants, and tables say so.

    Attributes:
        train_pixels: how training images become pixels.
        validation_pixels: likewise, those that decide when to stop.
        test_pixels: likewise, those that are judged.
        recipe: how it is trained.
        options: what else was chosen, a word each by name. `baseline_named` of name, arch and
            options makes the same network, pixels and scores again.
        backbone_arch: the architecture that it starts from, in the words of an encoder's; None: it
            is trained from scratch.
        weights_tag: of the weights to start from, unless others are asked for; None likewise.
        has_batch_norm: whether its network normalises by batches, so that it is another network
            where each of several workers has a share of a batch.
        has_features: whether it says what its last layer sees.
        has_heat: whether it says where an image looks generated.
    """

    train_pixels: PixelRecipe
    validation_pixels: PixelRecipe
    test_pixels: PixelRecipe
    recipe: TrainingRecipe
    options: Mapping[str, str] = MappingProxyType({})
    backbone_arch: str | None = None
    weights_tag: str | None = None
    has_batch_norm = True
    has_features = True
    has_heat = False

    def __init__(self, name: str, arch: str, is_published: bool) -> None:
        self.name, self.arch, self.is_published = name, arch, is_published

    @abstractmethod
    def build(self) -> nn.Module:
        """A `BackboneAndHead` on the CPU in float32, initialised by torch's default generator."""

    def start_from(self, network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
        """Put pretrained weights into a network that `build` has made.

        Args:
            network: changed in place; its last layer stays as it was drawn.
            state_dict: of an encoder of the architecture `self.backbone_arch`, whole.

        Raises:
            SettingsError: it is that of another architecture, or the baseline starts from scratch.
        """
        if self.backbone_arch is None:
            raise SettingsError(f"{self.name} is trained from scratch; give it no weights")
        try:
            network.get_submodule("backbone").load_state_dict(dict(state_dict))
        except RuntimeError as error:
            raise SettingsError(
                f"{self.name} starts from {self.backbone_arch}, and these weights are not of that"
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

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """What training makes small; here binary cross entropy.

        Args:
            outputs: of the network, for n inputs; here (n, 1).
            labels: int64 (n,), 0 real, 1 fake.

        Returns:
            float32 (n,): one an image, so that the mean of a batch is the same however the batch
            is dealt out to workers.
        """
        return nn.functional.binary_cross_entropy_with_logits(
            outputs.float().flatten(), labels.float(), reduction="none"
        )

    def scores(self, outputs: Tensor) -> Tensor:
        """P(generated), float32 (n,), 0 … 1; here the logit's sigmoid."""
        return torch.sigmoid(outputs.float().flatten())

    def features(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """What the network's last layer sees, float32 (n, dim), if it `has_features`."""
        features: Tensor = network.get_submodule("backbone")(inputs)
        return features.float()

    def heat(self, outputs: Tensor) -> Tensor:
        """P(generated) by place, float32 (n, rows, columns), if it `has_heat`."""
        raise NotImplementedError(f"{self.name} judges images whole")
