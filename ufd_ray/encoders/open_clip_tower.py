"""Image towers of open_clip: the features after the projection, not normalised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ufd_ray.encoders.activation import architecture_as_trained
from ufd_ray.encoders.checkpoints import clear_checkpoint_errors, read_state_dict
from ufd_ray.encoders.identity import Triple, triple
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.tower import Tower
from ufd_ray.errors import SettingsError


def build_open_clip(spec: EncoderSpec, file: Path | None) -> Tower:
    """Build CLIP's image side alone; what belongs to the text side of a checkpoint is passed over.

    Args:
        spec: of open_clip. A tag decides the activation function, whatever the plain name says;
            with a file or random weights the name alone does.
        file: its checkpoint; None: for random weights.

    Raises:
        SettingsError: the checkpoint does not fit, or it is not to be told with which activation
            function, mean and std it was trained.
    """
    import open_clip

    arch = spec.name
    if spec.kind == "tag":
        arch = architecture_as_trained(spec.name, spec.weights)
    mean, std = _statistics(arch, spec)
    config = open_clip.get_model_config(arch)
    module = _build_visual(config)
    if file is not None:
        with clear_checkpoint_errors(spec, file):
            # Where nothing begins like that, the file is the tower's alone.
            module.load_state_dict(read_state_dict(file, "visual."))
    size: int = config["vision_cfg"]["image_size"]
    return Tower(module, arch, size, mean, std, dim=config["embed_dim"])


def _build_visual(config: dict[str, Any]) -> nn.Module:
    # open_clip.create_model would build the text side as well, half the memory of ViT-L/14 and
    # for some models another download, only for us to throw it away.
    from open_clip.model import _build_vision_tower

    vision = config["vision_cfg"] | {"timm_model_pretrained": False}
    quick_gelu = bool(config.get("quick_gelu"))
    module: nn.Module = _build_vision_tower(config["embed_dim"], vision, quick_gelu)
    if getattr(module, "output_tokens", False):  # CoCa: pooled features come with all tokens
        module.output_tokens = False  # type: ignore[assignment]
    return module


def _statistics(arch: str, spec: EncoderSpec) -> tuple[Triple, Triple]:
    """The mean and std of a tag; without a tag, those that all tags of the architecture share."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(arch)
    if spec.kind == "tag":
        tags = [spec.weights]
    configs = [open_clip.get_pretrained_cfg(arch, tag) for tag in tags]
    found = {(triple(config["mean"]), triple(config["std"])) for config in configs}
    if len(found) > 1 and spec.kind == "file":
        raise SettingsError(
            f"{spec}: the weights known for {arch} were trained with different means and stds; give"
            f" {arch}:TAG with --weights FILE, TAG (of {', '.join(tags)}) being trained as FILE was"
        )
    if len(found) == 1:
        return found.pop()
    return triple(open_clip.OPENAI_DATASET_MEAN), triple(open_clip.OPENAI_DATASET_STD)
