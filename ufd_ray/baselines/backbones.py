"""The architectures that networks are trained from, without their last layers.

Their names, and those of their tensors, are the ones that the encoders of the same architecture
have, so that whatever weights an encoder takes can be trained on.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from ufd_ray.encoders.known import LITE0_NAME, LITE0_TAG

LITE0 = f"timm/{LITE0_NAME}"
PRETRAINED = {
    "torchvision/resnet50": "IMAGENET1K_V1",
    "torchvision/resnet34": "IMAGENET1K_V1",
    "torchvision/resnet18": "IMAGENET1K_V1",
    "timm/test_resnet": "r160_in1k",
    "ViT-L-14-quickgelu": "openai",
    "ViT-B-32-quickgelu": "openai",
    LITE0: LITE0_TAG,
    "timm/test_vit": "r160_in1k",
}
"""Architecture, in the words of an encoder's, and the tag of the weights to start from. timm's two
test networks, of less than 400,000 parameters each, are what two cores train within minutes; the
weights of EfficientNet-Lite0 come with a package, and no hub is asked."""


def build_backbone(arch: str) -> tuple[nn.Module, int]:
    """Build one of `PRETRAINED`, its numbers drawn from torch's default generator.

    Returns:
        Float32 (n, 3, 224, 224) → float32 (n, dim), and dim.
    """
    if "/" not in arch:
        return _image_tower(arch)
    model: Any = build_classifier(arch)
    if arch.startswith("timm/"):
        model.reset_classifier(0)
        return model, model.num_features
    dim = model.fc.in_features
    model.fc = nn.Identity()
    return model, dim


def build_classifier(arch: str) -> nn.Module:
    """Build a classifier of timm or torchvision whole, its numbers drawn likewise.

    Args:
        arch: `timm/NAME`, or `torchvision/NAME` of a ResNet.
    """
    library, _, name = arch.partition("/")
    model: nn.Module
    # The libraries take seconds to import.
    if library == "timm":
        import timm

        model = timm.create_model(name)
    else:
        import torchvision

        model = torchvision.models.get_model(name, weights=None)
    return model


def _image_tower(arch: str) -> tuple[nn.Module, int]:
    import open_clip

    # The whole of CLIP would be built with its text side, and that thrown away.
    from open_clip.model import _build_vision_tower

    config: dict[str, Any] = open_clip.get_model_config(arch)
    quick_gelu = bool(config.get("quick_gelu"))
    tower: nn.Module = _build_vision_tower(config["embed_dim"], config["vision_cfg"], quick_gelu)
    return tower, config["embed_dim"]
