from __future__ import annotations

from typing import Literal

import pytest

from ufd_ray.encoders import EncoderIdentity, EncoderSpec
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.flow import _room, make_flow
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import StorageOptions


def plan(device: Literal["cpu", "cuda"]) -> EncoderPlan:
    return EncoderPlan(EncoderSpec.parse("lite0"), "crop", None, device, "fp32", "float32")


@pytest.mark.parametrize(
    ("device", "cpus", "gpus", "most"),
    [("cpu", 1, 0, 1), ("cpu", 2, 0, 2), ("cpu", 16, 0, 20), ("cuda", 16, 4, 4), ("cuda", 2, 8, 3)],
)
def test_room_for_encoders(device: Literal["cpu", "cuda"], cpus: int, gpus: int, most: int) -> None:
    assert _room(plan(device), Cluster(num_nodes=1, num_cpus=cpus, num_gpus=gpus)) == most


def test_more_encoders_than_fit_are_refused() -> None:
    settings = BuildBankSettings(input=["/in"], output="/out", num_encoders=3)
    cluster = Cluster(num_nodes=1, num_cpus=2, num_gpus=0)
    identity = EncoderIdentity("a", "w", "crop", 224, (0, 0, 0), (1, 1, 1), 8, "0" * 64)
    with pytest.raises(SettingsError, match="--num-encoders 3: this cluster has room for 2"):
        make_flow(settings, plan("cpu"), identity, cluster, StorageOptions())
