"""Where an encoder runs, and in which precision: what was asked, and what is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.settings import Device, Precision


@dataclass(frozen=True)
class DeviceChoice:
    """A device, and why it was taken: one line for the log."""

    device: Device
    reason: str


def resolve_device(
    requested: Literal["auto"] | Device,
    gpus_available: int,
    *,
    may_grow: bool = False,
    autoscales: bool = False,
) -> DeviceChoice:
    """Settle on a device.

    Args:
        requested: `auto` takes a GPU where there is one.
        gpus_available: GPUs that the cluster (or this machine) offers now.
        may_grow: machines can still join, so a GPU that was asked for can be waited for.
        autoscales: the cluster starts machines on demand, so that it may have GPUs none of which
            is up yet. Then `auto` does not guess: a night on CPUs would be the price.

    Raises:
        SettingsError: `cuda` where there will never be a GPU; `auto` where nobody can tell.
    """
    there = f"{gpus_available or 'no'} GPU{'' if gpus_available == 1 else 's'} available"
    if requested == "auto":
        if gpus_available < 1 and autoscales:
            raise SettingsError(
                "device auto: this cluster starts its machines on demand, and none that is up has a"
                " GPU; say --device cuda to wait for one, or --device cpu to do without"
            )
        device: Device = "cuda" if gpus_available > 0 else "cpu"
        return DeviceChoice(device, f"device auto took {device}: {there}")
    if requested == "cuda" and gpus_available < 1 and not may_grow:
        raise SettingsError(
            "device cuda was asked for, and no GPU is available; give --device auto or cpu, or a"
            " machine with a GPU"
        )
    return DeviceChoice(requested, f"device {requested} was asked for; {there}")


def require_device(device: Device) -> None:
    """See that this process can compute on the device.

    Raises:
        ClusterError: it cannot; the one line says whether driver, GPU or PyTorch is at fault.
    """
    if device == "cpu":
        return
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
        # Small work: only a kernel tells whether this build of PyTorch has any for this GPU.
        (torch.ones(1, device=device) + 1).cpu()
    except (RuntimeError, AssertionError) as error:
        raise ClusterError(explain_cuda(str(error))) from error


def explain_cuda(message: str) -> str:
    """One line for a person from what PyTorch says of a GPU that cannot be used."""
    build = f"PyTorch {torch.__version__} (built for CUDA {torch.version.cuda})"
    if found := re.search(r"driver on your system is too old \(found version (\d+)\)", message):
        major, minor = divmod(int(found[1]) // 10, 100)
        return (
            f"the GPU driver is too old: it knows CUDA up to {major}.{minor}, which is not enough"
            f" for {build}; install a newer driver on the GPU machines, or give --device cpu"
        )
    if "no NVIDIA driver" in message:
        return (
            "no GPU driver is installed on a machine that Ray says has a GPU; install NVIDIA's, or"
            " give --device cpu"
        )
    if "no kernel image is available" in message:
        return (
            f"this GPU is of a generation for which {build} has no code; take machines with other"
            " GPUs, or give --device cpu"
        )
    first = (message.strip().splitlines() or ["no reason given"])[0]
    return f"the GPU cannot be used by {build}: {first}"


@dataclass(frozen=True)
class PrecisionChoice:
    """A precision, and why it was taken: one line for the log."""

    precision: Precision
    reason: str


def resolve_precision(
    requested: Literal["auto"] | Precision, device: Device, cpus: Sequence[str | None] = ()
) -> PrecisionChoice:
    """Settle on a precision.

    Args:
        requested: `auto` is fp16 on GPUs, where it keeps more digits than bf16; on CPUs bf16 where
            every machine is fast in it, else fp32.
        device: where it runs.
        cpus: what `fast_bf16` says on each machine that will compute.

    Raises:
        SettingsError: fp16 on a CPU.
    """
    check_precision(requested, device)
    if requested != "auto":
        return PrecisionChoice(requested, f"precision {requested} was asked for")
    if device == "cuda":
        return PrecisionChoice("fp16", "precision auto is fp16 on GPUs")
    slow = sum(instructions is None for instructions in cpus)
    if slow or not cpus:
        which = "the CPU has" if len(cpus) < 2 else f"{slow} of {len(cpus)} machines have"
        return PrecisionChoice("fp32", f"precision auto took fp32: {which} no fast bf16")
    names = " and ".join(sorted({str(instructions) for instructions in cpus}))
    return PrecisionChoice("bf16", f"precision auto took bf16: the CPUs have {names}")


def check_precision(requested: Literal["auto"] | Precision, device: Device) -> None:
    """Refuse a precision that the device does not have.

    Raises:
        SettingsError: fp16 on a CPU.
    """
    if requested == "fp16" and device == "cpu":
        raise SettingsError(
            "precision fp16 is for GPUs: give --precision fp32, or bf16 on CPUs that have it"
        )
