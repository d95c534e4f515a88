"""Image towers of timm: the pooled features before the classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ufd_ray.encoders.checkpoints import clear_checkpoint_errors, clear_download_errors
from ufd_ray.encoders.identity import triple
from ufd_ray.encoders.known import LITE0_NAME, LITE0_TAG
from ufd_ray.encoders.lite0 import load_lite0
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.tower import Tower
from ufd_ray.errors import SettingsError


def build_timm(spec: EncoderSpec, file: Path | None) -> Tower:
    """Build a timm model with its classifier, load it strictly, take the classifier off.

    timm reads the file itself: many architectures convert older key names on the way in.

    Args:
        spec: of timm. Its tag (else timm's first one for the architecture) decides size, mean, std.
        file: a checkpoint; None: a tag's is downloaded.

    Raises:
        SettingsError: the checkpoint does not fit, or the architecture takes no square RGB images.
        StorageError: the download failed.
    """
    import timm

    if (spec.name, spec.weights) == (LITE0_NAME, LITE0_TAG):
        model = timm.create_model(spec.name)
        with clear_checkpoint_errors(spec, file):
            load_lite0(model, file)
    elif spec.kind == "random":
        model = timm.create_model(spec.name)
    else:
        name = f"{spec.name}.{spec.weights}" if spec.kind == "tag" else spec.name
        if file is not None:
            place = {"file": str(file)}
            with clear_checkpoint_errors(spec, file):
                model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=place)
        else:
            with clear_checkpoint_errors(spec, None), clear_download_errors(spec):
                model = timm.create_model(name, pretrained=True)
    config: dict[str, Any] = model.pretrained_cfg
    channels, height, width = config["input_size"]
    if (channels, height) != (3, width):
        raise SettingsError(
            f"{spec} takes {channels}×{height}×{width}; expected square images of three channels"
        )
    model.reset_classifier(0)
    dim: int = getattr(model, "head_hidden_size", model.num_features)
    return Tower(model, spec.arch, height, triple(config["mean"]), triple(config["std"]), dim)
