"""Whether the networks of compared baselines can be used, before anything is scored."""

from __future__ import annotations

from collections.abc import Sequence

import ray

from ufd_ray.baselines import load_network
from ufd_ray.errors import SettingsError, UfdError
from ufd_ray.pipeline.comparing.compared import Compared
from ufd_ray.pipeline.placement import LIGHT
from ufd_ray.storage import StorageOptions, network_file


def check_networks(compared: Sequence[Compared], storage: StorageOptions) -> None:
    """Load every network once, on workers, and throw it away.

    Raises:
        SettingsError: one is gone, damaged, or that of another architecture.
    """
    check = ray.remote(num_cpus=LIGHT)(objection_to)
    for objection in ray.get([check.remote(one, storage) for one in compared]):
        if objection is not None:
            raise SettingsError(objection)


def objection_to(one: Compared, storage: StorageOptions) -> str | None:
    """What is wrong with a network; None: nothing."""
    try:
        with network_file(one.info, storage) as file:
            load_network(one.baseline, file)
    except UfdError as error:
        return f"--compare-baseline {one.name}={one.info.uri}: {error}"
    return None
