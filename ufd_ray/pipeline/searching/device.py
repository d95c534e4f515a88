"""On CPUs or GPUs: where in a cluster a bank's products are computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ufd_ray.encoders import DeviceChoice
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.placement import GPU_FOR_SEARCH
from ufd_ray.settings import Device


@dataclass(frozen=True)
class Encoding:
    """The encoders that run beside a search.

    Attributes:
        device: on which they compute.
        gpus_each: share of a GPU that each was given; None: what is left of one.
    """

    device: Device
    gpus_each: float | None = None

    @property
    def objection(self) -> str | None:
        """Why no search fits on their GPUs; None: one does, whoever comes first."""
        if not self.gpus_each:
            return None
        left = 1 - self.gpus_each * math.floor(1 / self.gpus_each + 1e-9)
        if left >= GPU_FOR_SEARCH - 1e-9:
            return None
        return (
            f"--gpus-per-encoder {self.gpus_each:g} leaves {max(0.0, left):.2g} of a GPU, and a"
            f" search takes {GPU_FOR_SEARCH:g}"
        )


def choose_search_device(
    requested: Literal["auto"] | Device, encoding: Encoding | None, cluster: Cluster
) -> DeviceChoice:
    """Settle on a device for a search in a cluster.

    Args:
        requested: `auto` takes GPUs where encoders compute on them, or where there are any and
            nothing is encoded.
        encoding: encoders that run at the same time; None: there are none.
        cluster: as it is.

    Raises:
        SettingsError: `cuda` where there will never be a GPU, or where encoders leave no room.
    """
    there = f"{cluster.num_gpus or 'no'} GPU{'' if cluster.num_gpus == 1 else 's'} available"
    objection = encoding.objection if encoding else None
    if requested == "cuda":
        if not cluster.num_gpus and not cluster.may_grow:
            raise SettingsError(
                "search device cuda was asked for, and no GPU is available; give --search-device"
                " auto or cpu, or a machine with a GPU"
            )
        if objection:
            raise SettingsError(
                f"search device cuda was asked for, but {objection}; give another share, or none,"
                " or --search-device cpu"
            )
    if requested != "auto":
        return DeviceChoice(requested, f"search device {requested} was asked for")
    if encoding:
        device, why = encoding.device, "as the encoders"
        if device == "cuda" and objection:
            device, why = "cpu", objection
    else:
        device, why = ("cuda" if cluster.num_gpus else "cpu"), there
    return DeviceChoice(device, f"search device auto took {device}: {why}")
