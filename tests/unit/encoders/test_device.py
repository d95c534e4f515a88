from __future__ import annotations

from typing import Any

import pytest

from ufd_ray.encoders import DeviceChoice, resolve_device, resolve_precision
from ufd_ray.errors import SettingsError


@pytest.mark.parametrize(
    ("requested", "gpus", "expected"),
    [
        ("auto", 0, DeviceChoice("cpu", "device auto took cpu: no GPUs available")),
        ("auto", 1, DeviceChoice("cuda", "device auto took cuda: 1 GPU available")),
        ("auto", 8, DeviceChoice("cuda", "device auto took cuda: 8 GPUs available")),
        ("cpu", 0, DeviceChoice("cpu", "device cpu was asked for; no GPUs available")),
        ("cpu", 8, DeviceChoice("cpu", "device cpu was asked for; 8 GPUs available")),
        ("cuda", 2, DeviceChoice("cuda", "device cuda was asked for; 2 GPUs available")),
    ],
)
def test_device(requested: Any, gpus: int, expected: DeviceChoice) -> None:
    assert resolve_device(requested, gpus) == expected


def test_cuda_without_a_gpu_is_refused() -> None:
    with pytest.raises(SettingsError, match="no GPU is available; give --device auto or cpu"):
        resolve_device("cuda", 0)


@pytest.mark.parametrize(
    ("requested", "device", "expected"),
    [
        ("auto", "cpu", "fp32"),
        ("auto", "cuda", "fp16"),
        ("fp32", "cpu", "fp32"),
        ("fp32", "cuda", "fp32"),
        ("bf16", "cpu", "bf16"),
        ("bf16", "cuda", "bf16"),
        ("fp16", "cuda", "fp16"),
    ],
)
def test_precision(requested: Any, device: Any, expected: str) -> None:
    assert resolve_precision(requested, device) == expected


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(SettingsError, match="fp16 is for GPUs: give --precision fp32"):
        resolve_precision("fp16", "cpu")
