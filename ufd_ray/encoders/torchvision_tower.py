"""Image towers of torchvision: the features before the last linear layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ufd_ray.encoders.checkpoints import clear_checkpoint_errors, read_state_dict
from ufd_ray.encoders.identity import triple
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.tower import Tower
from ufd_ray.errors import SettingsError


def build_torchvision(spec: EncoderSpec, file: Path | None) -> Tower:
    """Build a torchvision classifier, load it strictly, take its last layer off.

    Args:
        spec: of torchvision. Its tag (else torchvision's first one for the architecture) decides
            size, mean and std.
        file: its checkpoint; None: for random weights.

    Raises:
        SettingsError: the checkpoint does not fit, or no linear layer is at the end.
    """
    import torchvision

    known = torchvision.models.get_model_weights(spec.name)
    entry = known[spec.weights] if spec.kind == "tag" else next(iter(known))
    preset: Any = entry.transforms()
    size: int = preset.crop_size[0]
    # Vision transformers alone are built for one size; the others take any.
    sized = {"image_size": size} if spec.name.startswith("vit_") else {}
    model: nn.Module = torchvision.models.get_model(spec.name, weights=None, **sized)
    if file is not None:
        with clear_checkpoint_errors(spec, file):
            model.load_state_dict(read_state_dict(file))
    dim = _remove_head(model, spec)
    return Tower(model, spec.arch, size, triple(preset.mean), triple(preset.std), dim)


def _remove_head(model: nn.Module, spec: EncoderSpec) -> int:
    """Put `Identity` in the place of the last linear layer; returns how many features it took."""
    for name in ("fc", "heads", "head", "classifier"):
        head = getattr(model, name, None)
        if isinstance(head, nn.Linear):
            setattr(model, name, nn.Identity())
            return head.in_features
        if isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Linear):
            dim = head[-1].in_features
            head[-1] = nn.Identity()
            return dim
    raise SettingsError(f"{spec} does not end in a linear layer; choose another architecture")
