"""From a spec to an image tower with its weights in it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from ufd_ray.encoders.checkpoints import WeightsFile, check_finite, open_checkpoint
from ufd_ray.encoders.hub import hub_file
from ufd_ray.encoders.identity_tower import build_identity
from ufd_ray.encoders.known import LITE0_NAME, LITE0_TAG
from ufd_ray.encoders.lite0 import lite0_file
from ufd_ray.encoders.open_clip_tower import build_open_clip
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.timm_tower import build_timm
from ufd_ray.encoders.torchvision_tower import build_torchvision
from ufd_ray.encoders.tower import NoRandomNumbers, Tower, own_random_numbers
from ufd_ray.errors import SettingsError
from ufd_ray.storage import StorageOptions, describe_file

_BUILDERS = {
    "open_clip": build_open_clip,
    "timm": build_timm,
    "torchvision": build_torchvision,
    "identity": build_identity,
}


def build_tower(
    spec: EncoderSpec, weights_file: str | Path | None = None, storage: StorageOptions | None = None
) -> tuple[Tower, WeightsFile | None]:
    """Build an encoder's image tower on the CPU in float32.

    Args:
        spec: which one.
        weights_file: path or URI to read the weights from, instead of downloading a tag's or
            reading the spec's own file. The tag still decides activation, mean and std.
        storage: how URIs are reached.

    Returns:
        The tower, and the file that its weights were read from; None: they are random.

    Raises:
        SettingsError: there is no such encoder, no such file, or it does not fit.
        StorageError: the weights cannot be downloaded or read.
    """
    spec.check()
    source = spec.weights if weights_file is None and spec.kind == "file" else weights_file
    if source is not None and spec.kind == "random":
        raise SettingsError(f"{spec} asks for random weights, and --weights {source} for others")
    with ExitStack() as stack:
        file = None
        if source is not None:
            opened = open_checkpoint(str(source), storage or StorageOptions())
            file = stack.enter_context(opened)
        elif spec.kind == "tag":
            file = _file_of_tag(spec)
        if spec.kind == "random":
            stack.enter_context(own_random_numbers(spec.seed))
        else:  # each load is strict
            stack.enter_context(NoRandomNumbers())
        tower = _BUILDERS[spec.library](spec, file.path if file else None)
        if file is not None:
            check_finite(tower.module, spec, file)
        return tower, file


def _file_of_tag(spec: EncoderSpec) -> WeightsFile:
    if (spec.name, spec.weights) == (LITE0_NAME, LITE0_TAG):
        path, source = lite0_file(), f"package {LITE0_TAG}"
    else:
        path, source = hub_file(spec)
    return WeightsFile.seen(describe_file(path), source)
