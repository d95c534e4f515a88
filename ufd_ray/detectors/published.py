"""The authors' published weights, in both formats in which they save them.

`fc_weights.pth` is a state dict of the linear layer: `weight` (1, 768) and `bias` (1,), saved
from a GPU. A training checkpoint is a dict of `model`, `optimizer` and `total_steps`, whose
`model` holds the whole network, with the layer as `fc.weight` and `fc.bias`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import torch

from ufd_ray.detectors.probe import Probe
from ufd_ray.errors import SettingsError

EXPECTED = (
    "expected a state dict with weight and bias, or a training checkpoint whose model holds "
    "fc.weight and fc.bias"
)


# What is known of the file `fc_weights.pth` that the authors publish, to the digits given here.
_FIRST_WEIGHTS, _NORM, _BIAS = (-0.319579, -0.113311, -0.178390), 6.2001, -0.5167
_ARCHS, _PREPROCESS = ("ViT-L-14", "ViT-L-14-quickgelu"), "crop"


def import_published(source: str | PathLike[str] | bytes, *, dim: int = 768) -> Probe:
    """Read a probe from one of the authors' files.

    Args:
        source: path of the file, or its contents.
        dim: length of the embeddings that it must fit; CLIP ViT-L/14's by default.

    Returns:
        The probe. It is for embeddings of the encoder that the authors trained it on.

    Raises:
        SettingsError: the file cannot be read, holds anything but tensors and plain values, or
            holds no such weights; the message says what was found and what was expected.
    """
    name = "the given bytes" if isinstance(source, bytes) else str(source)
    layer = _layer(_load(source, name), name)
    weight = _vector(layer["weight"], (1, dim), f"{name}: weight")
    bias = _vector(layer["bias"], (1,), f"{name}: bias")
    try:
        return Probe(weight[0], np.float32(bias[0]))
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None


def is_published(probe: Probe) -> bool:
    """Whether it is the probe that the authors publish, as far as its known digits tell."""
    first, norm = (
        probe.weight[:3].astype(np.float64),
        np.linalg.norm(probe.weight.astype(np.float64)),
    )
    return bool(
        len(first) == len(_FIRST_WEIGHTS)
        and np.all(np.abs(first - _FIRST_WEIGHTS) < 1e-6)
        and abs(norm - _NORM) < 1e-4
        and abs(float(probe.bias) - _BIAS) < 1e-4
    )


def tell_whose(probe: Probe, arch: str, preprocess: str) -> str:
    """One line on whose weights an imported probe has, for whoever imports it.

    Args:
        probe: as `import_published` gives it.
        arch: architecture of the encoder that it is to be used with.
        preprocess: how that encoder's pixels are cut out.

    Raises:
        SettingsError: they are the published ones, and the encoder is not theirs.
    """
    if not is_published(probe):
        return (
            f"these are not the weights that the paper's authors publish; taken for encoder {arch},"
            " since the file does not say whose they are"
        )
    if arch not in _ARCHS or preprocess != _PREPROCESS:
        raise SettingsError(
            "these are the weights that the paper's authors publish, for CLIP ViT-L/14 (preprocess"
            f" crop); the bank's are of {arch} (preprocess {preprocess}): build one with --encoder"
            " clip-vit-l14 --preprocess crop"
        )
    return f"these are the weights that the paper's authors publish, for encoder {arch}"


def _load(source: str | PathLike[str] | bytes, name: str) -> object:
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        # weights_only: a pickle can run any code, and this one comes from strangers.
        return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SettingsError(f"{name} cannot be read: {error}") from None
    except Exception as error:  # noqa: BLE001 - damaged bytes fail in any of a dozen ways
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(
            f"{name} is no file of tensors and plain values ({type(error).__name__}: {reason}); "
            f"{EXPECTED}"
        ) from None


def _layer(content: object, name: str) -> dict[str, object]:
    """The linear layer's two entries, by their plain names."""
    if not isinstance(content, Mapping):
        raise SettingsError(f"{name} holds a {type(content).__name__}; {EXPECTED}")
    found: Mapping[Any, object] = content
    prefix = ""
    if isinstance(content.get("model"), Mapping):
        found, prefix = content["model"], "fc."
    if not {prefix + "weight", prefix + "bias"} <= found.keys():
        keys = sorted(str(key) for key in found)
        more = f" and {len(keys) - 8} more" if len(keys) > 8 else ""
        raise SettingsError(f"{name} holds {', '.join(keys[:8]) or 'nothing'}{more}; {EXPECTED}")
    return {key: found[prefix + key] for key in ("weight", "bias")}


def _vector(value: object, shape: tuple[int, ...], name: str) -> np.ndarray[Any, Any]:
    """A dense float32 tensor of just that shape, as an array of its own."""
    if not isinstance(value, torch.Tensor):
        raise SettingsError(f"{name} is a {type(value).__name__}, expected a tensor {shape}")
    plain = value.layout == torch.strided and value.device.type == "cpu"
    if value.dtype != torch.float32 or tuple(value.shape) != shape or not plain:
        raise SettingsError(
            f"{name} is {value.dtype} {tuple(value.shape)}, expected torch.float32 {shape}"
        )
    return value.detach().numpy().copy()
