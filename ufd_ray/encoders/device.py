"""Where an encoder runs, and in which precision. Arithmetic on what was asked and what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ufd_ray.errors import SettingsError
from ufd_ray.settings import Device, Precision


@dataclass(frozen=True)
class DeviceChoice:
    """A device, and why it was taken: one line for the log."""

    device: Device
    reason: str


def resolve_device(requested: Literal["auto"] | Device, gpus_available: int) -> DeviceChoice:
    """Settle on a device.

    Args:
        requested: `auto` takes a GPU where there is one.
        gpus_available: GPUs that the cluster (or this machine) offers.

    Raises:
        SettingsError: `cuda` without a GPU.
    """
    there = f"{gpus_available or 'no'} GPU{'' if gpus_available == 1 else 's'} available"
    if requested == "auto":
        device: Device = "cuda" if gpus_available > 0 else "cpu"
        return DeviceChoice(device, f"device auto took {device}: {there}")
    if requested == "cuda" and gpus_available < 1:
        raise SettingsError(
            "device cuda was asked for, and no GPU is available; give --device auto or cpu, or a"
            " machine with a GPU"
        )
    return DeviceChoice(requested, f"device {requested} was asked for; {there}")


def resolve_precision(requested: Literal["auto"] | Precision, device: Device) -> Precision:
    """Settle on a precision.

    Args:
        requested: `auto` is fp32 on CPUs, and fp16 on GPUs, where it keeps more digits than bf16.
        device: where it runs.

    Raises:
        SettingsError: fp16 on a CPU.
    """
    if requested == "auto":
        return "fp16" if device == "cuda" else "fp32"
    if requested == "fp16" and device == "cpu":
        raise SettingsError(
            "precision fp16 is for GPUs: give --precision fp32, or bf16 on CPUs that have it"
        )
    return requested
