"""The device on which this very process searches a bank, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from ufd_ray.encoders import require_device
from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.settings import Device


def search_device_here(requested: Literal["auto"] | Device) -> Device:
    """Settle on a device for a search in this process: `auto` takes a GPU where there is one.

    Raises:
        SettingsError: `cuda` where PyTorch sees no GPU.
        ClusterError: the GPU cannot be used.
    """
    num_gpus = torch.cuda.device_count()
    if requested == "cuda" and not num_gpus:
        raise SettingsError(
            "search device cuda was asked for, and PyTorch sees no GPU here; give --search-device"
            " auto or cpu, or take a machine with a GPU"
        )
    device: Device = "cuda" if num_gpus and requested != "cpu" else "cpu"
    require_search_device(device)
    return device


def require_search_device(device: Device) -> None:
    """See that this process can compute on the device.

    Raises:
        ClusterError: it cannot; the one line says whether driver, GPU or PyTorch is at fault.
    """
    with or_on_cpus():
        require_device(device)


@contextmanager
def or_on_cpus() -> Iterator[None]:
    """Add to what is wrong with a GPU that the search can do without.

    Raises:
        ClusterError: something is.
    """
    try:
        yield
    except ClusterError as error:
        raise ClusterError(f"{error} (for the search alone: --search-device cpu)") from error


@contextmanager
def gpu_errors() -> Iterator[None]:
    """Tell in one line that a GPU has too little memory for a search.

    Raises:
        ClusterError: it has.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ClusterError(
            "a GPU has too little memory for the search beside what else runs on it: give a"
            " smaller --search-memory-mb or --batch-size, or --search-device cpu"
            f" ({reason.partition('. GPU')[0]})"
        ) from error
