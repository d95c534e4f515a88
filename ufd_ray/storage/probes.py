"""A probe on storage: `probe.safetensors` (weight, bias) and `probe.json` (all else)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ufd_ray.errors import SettingsError
from ufd_ray.storage.documents import read_document, write_document
from ufd_ray.storage.judging import check_calibration, check_thresholds
from ufd_ray.storage.objects import read_object, write_object
from ufd_ray.storage.stores import StorageOptions
from ufd_ray.storage.uris import join_uri

_OWN = ("format_version", "encoder", "dim", "dtype", "thresholds", "calibration")


@dataclass(frozen=True)
class ProbeFiles:
    """What the two files hold.

    Attributes:
        weight: float32 (dim,).
        bias: float32 ().
        encoder: identity of the encoder whose embeddings it scores, as a dict.
        dtype: `float32` or `float16`, of the embeddings that it was fitted on.
        thresholds: probe scores above which an image counts as fake, 0–1, by name: `default`, and
            `tuned`, `max_fpr`, `calibrated`, None where one could not be found.
        calibration: `method`, `scale` and `shift`, so that the probability is
            sigmoid(scale·logit + shift); None: there is none.
        details: recipe, training curve, validation figures, where it came from, how thresholds and
            calibration were found (`judged`).
    """

    weight: npt.NDArray[np.float32]
    bias: float
    encoder: dict[str, Any]
    dtype: str = "float32"
    thresholds: dict[str, float | None] = field(default_factory=lambda: {"default": 0.5})
    calibration: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def default_threshold(self) -> float:
        """The threshold that every probe has."""
        return cast(float, self.thresholds["default"])

    @property
    def content(self) -> str:
        """A short hash of what scores by it depend on, wherever it lies."""
        parts = [self.weight.tobytes().hex(), self.bias, self.thresholds["default"]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


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
        "thresholds": probe.thresholds,
        "calibration": probe.calibration,
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
        weight, bias = tensors["weight"], float(tensors["bias"][0])
        dim = int(content["dim"])
        files = ProbeFiles(
            weight=weight,
            bias=bias,
            encoder=content["encoder"],
            dtype=content["dtype"],
            thresholds=check_thresholds(content["thresholds"], 0, 1),
            calibration=check_calibration(content.get("calibration")),
            details={name: value for name, value in content.items() if name not in _OWN},
        )
    except FileNotFoundError as error:
        raise SettingsError(f"--probe {uri}: there is no probe.safetensors") from error
    except (KeyError, IndexError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise SettingsError(f"--probe {uri}: unusable ({type(error).__name__}: {error})") from error
    sound = weight.dtype == np.float32 and np.isfinite([*weight.flat, bias]).all()
    if weight.shape != (dim,) or not sound:
        raise SettingsError(
            f"--probe {uri}: weight is {weight.dtype} {weight.shape}, bias {bias}; expected"
            f" finite float32 ({dim},)"
        )
    return files
