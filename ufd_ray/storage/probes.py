"""A probe on storage: `probe.safetensors` (weight, bias) and `probe.json` (all else)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ufd_ray.errors import SettingsError
from ufd_ray.storage.documents import read_document, write_document
from ufd_ray.storage.objects import read_object, write_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri


@dataclass(frozen=True)
class ProbeFiles:
    """What the two files hold.

    Attributes:
        weight: float32 (dim,).
        bias: float32 ().
        encoder: identity of the encoder whose embeddings it scores, as a dict.
        dtype: `float32` or `float16`, of the embeddings that it was fitted on.
        threshold: probe score above which an image counts as fake, 0–1.
        details: recipe, training curve, validation figures, where it came from.
    """

    weight: npt.NDArray[np.float32]
    bias: float
    encoder: dict[str, Any]
    dtype: str = "float32"
    threshold: float = 0.5
    details: dict[str, Any] = field(default_factory=dict)


def write_probe(uri: str, probe: ProbeFiles, options: StorageOptions) -> None:
    """Write both files, `probe.json` last: a probe without it is none.

    Raises:
        StorageError: they cannot be written.
    """
    tensors: dict[str, npt.NDArray[Any]] = {
        "weight": np.asarray(probe.weight, np.float32),
        "bias": np.array([probe.bias], np.float32),
    }
    data = safetensors.numpy.save(tensors)
    write_object(join_uri(uri, "probe.safetensors"), data, options)
    content = {
        "encoder": probe.encoder,
        "dim": len(probe.weight),
        "dtype": probe.dtype,
        "thresholds": {"default": probe.threshold},
        "calibration": None,
        **probe.details,
    }
    write_document(uri, "probe.json", content, options)


def read_probe(uri: str, options: StorageOptions) -> ProbeFiles:
    """Read both files.

    Raises:
        SettingsError: there is no usable probe at `uri`.
    """
    content = read_document(uri, "probe.json", f"--probe {uri}", options)
    try:
        tensors = safetensors.numpy.load(read_object(join_uri(uri, "probe.safetensors"), options))
        weight, bias = tensors["weight"], tensors["bias"]
        threshold = float(content["thresholds"]["default"])
        files = ProbeFiles(weight, float(bias[0]), content["encoder"], content["dtype"], threshold)
        dim = int(content["dim"])
    except FileNotFoundError as error:
        raise SettingsError(f"--probe {uri}: there is no probe.safetensors") from error
    except (KeyError, IndexError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise SettingsError(f"--probe {uri}: unusable ({type(error).__name__}: {error})") from error
    sound = weight.dtype == np.float32 and np.isfinite([*weight.flat, files.bias]).all()
    if weight.shape != (dim,) or not sound:
        raise SettingsError(
            f"--probe {uri}: weight is {weight.dtype} {weight.shape}, bias {files.bias}; expected"
            f" finite float32 ({dim},)"
        )
    if not 0 <= threshold <= 1:
        raise SettingsError(f"--probe {uri}: threshold is {threshold}; expected 0–1")
    return files
