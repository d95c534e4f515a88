"""Image towers of timm: the pooled features before the classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ufd_ray.encoders.checkpoints import clear_checkpoint_errors
from ufd_ray.encoders.identity import triple
from ufd_ray.encoders.known import LITE0_NAME, LITE0_TAG
from ufd_ray.encoders.lite0 import load_lite0
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.torchscript import is_torchscript, read_torchscript
from ufd_ray.encoders.tower import Tower
from ufd_ray.errors import SettingsError


def build_timm(spec: EncoderSpec, file: Path | None) -> Tower:
    """Build a timm model with its classifier, load it strictly, take the classifier off.

    timm reads the file itself: many architectures convert older key names on the way in.

    Args:
        spec: of timm. Its tag (else timm's first one for the architecture) decides size, mean, std.
        file: its checkpoint; None: for random weights.

    Raises:
        SettingsError: the checkpoint does not fit, or the architecture takes no square RGB images.
    """
    import timm

    if file is None:
        model = timm.create_model(spec.name)
    elif (spec.name, spec.weights) == (LITE0_NAME, LITE0_TAG):
        model = timm.create_model(spec.name)
        with clear_checkpoint_errors(spec, file):
            load_lite0(model, file)
    else:
        name = f"{spec.name}.{spec.weights}" if spec.kind == "tag" else spec.name
        with clear_checkpoint_errors(spec, file):
            place = _as_timm_takes_it(file)
            model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=place)
    config: dict[str, Any] = model.pretrained_cfg
    channels, height, width = config["input_size"]
    if (channels, height) != (3, width):
        raise SettingsError(
            f"{spec} takes {channels}×{height}×{width}; expected square images of three channels"
        )
    model.reset_classifier(0)
    dim: int = getattr(model, "head_hidden_size", model.num_features)
    return Tower(model, spec.arch, height, triple(config["mean"]), triple(config["std"]), dim)


def _as_timm_takes_it(file: Path) -> dict[str, Any]:
    if is_torchscript(file):  # which timm would refuse
        return {"state_dict": read_torchscript(file)}
    # Some tags have a reader for NumPy's archives, to which no other file may be given.
    return {"file": str(file)} | ({} if file.suffix == ".npz" else {"custom_load": False})
