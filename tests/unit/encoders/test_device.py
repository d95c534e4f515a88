from __future__ import annotations

from typing import Any

import pytest
import torch

from ufd_ray.encoders import (
    DeviceChoice,
    require_device,
    resolve_device,
    resolve_precision,
)
from ufd_ray.encoders.device import explain_cuda
from ufd_ray.errors import ClusterError, SettingsError


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


def test_cuda_is_waited_for_where_machines_can_join() -> None:
    choice = resolve_device("cuda", 0, may_grow=True)
    assert choice == DeviceChoice("cuda", "device cuda was asked for; no GPUs available")


def test_auto_does_not_guess_where_machines_start_on_demand() -> None:
    with pytest.raises(SettingsError, match="--device cuda to wait for one, or --device cpu"):
        resolve_device("auto", 0, may_grow=True, autoscales=True)
    assert resolve_device("auto", 1, may_grow=True, autoscales=True).device == "cuda"
    assert resolve_device("auto", 0, may_grow=True).device == "cpu"
    assert resolve_device("cpu", 0, may_grow=True, autoscales=True).device == "cpu"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "The NVIDIA driver on your system is too old (found version 12020). Please update your"
            " GPU driver by downloading and installing a new version from the URL: http://x",
            "the GPU driver is too old: it knows CUDA up to 12.2, which is not enough for PyTorch ",
        ),
        (
            "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
            "no GPU driver is installed on a machine that Ray says has a GPU; ",
        ),
        (
            "CUDA error: no kernel image is available for execution on the device\nCUDA kernel",
            "this GPU is of a generation for which PyTorch ",
        ),
        ("CUDA error: out of memory\nmore", "the GPU cannot be used by PyTorch "),
    ],
)
def test_what_is_wrong_with_a_gpu_is_one_line(message: str, said: str) -> None:
    line = explain_cuda(message)
    assert line.startswith(said)
    assert "\n" not in line
    assert "http" not in line


def test_a_device_is_tried_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.cuda, "init", refuse)
    require_device("cpu")
    with pytest.raises(ClusterError, match=r"it knows CUDA up to 11\.4"):
        require_device("cuda")


def test_cuda_without_a_gpu_is_refused() -> None:
    with pytest.raises(SettingsError, match="no GPU is available; give --device auto or cpu"):
        resolve_device("cuda", 0)


@pytest.mark.parametrize(
    ("requested", "device", "cpus", "expected", "why"),
    [
        ("auto", "cuda", [], "fp16", "fp16 on GPUs"),
        ("auto", "cpu", [None], "fp32", "the CPU has no fast bf16"),
        ("auto", "cpu", [], "fp32", "the CPU has no fast bf16"),
        ("auto", "cpu", ["AMX"], "bf16", "the CPUs have AMX"),
        ("auto", "cpu", ["AVX512-BF16", "AMX", "AMX"], "bf16", "have AMX and AVX512-BF16"),
        ("auto", "cpu", ["AMX", None, "AMX"], "fp32", "1 of 3 machines have no fast bf16"),
        ("fp32", "cpu", ["AMX"], "fp32", "fp32 was asked for"),
        ("fp32", "cuda", [], "fp32", "fp32 was asked for"),
        ("bf16", "cpu", [None], "bf16", "bf16 was asked for"),
        ("bf16", "cuda", [], "bf16", "bf16 was asked for"),
        ("fp16", "cuda", [], "fp16", "fp16 was asked for"),
    ],
)
def test_precision(requested: Any, device: Any, cpus: Any, expected: str, why: str) -> None:
    choice = resolve_precision(requested, device, cpus)
    assert choice.precision == expected
    assert why in choice.reason


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(SettingsError, match="fp16 is for GPUs: give --precision fp32"):
        resolve_precision("fp16", "cpu")
