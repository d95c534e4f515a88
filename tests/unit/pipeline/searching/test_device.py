"""On CPUs or GPUs: from what was asked, what the encoders do, and what is there."""

from __future__ import annotations

import pytest

from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.searching import Encoding, choose_search_device
from ufd_ray.settings import Device

NONE, TWO = Cluster((8,)), Cluster((8,), num_gpus=2)
ZERO = Cluster((), may_grow=True, autoscales=True)
ON_CPUS, ON_GPUS = Encoding("cpu"), Encoding("cuda")


@pytest.mark.parametrize(
    ("encoding", "cluster", "device", "why"),
    [
        (ON_GPUS, TWO, "cuda", "as the encoders"),
        # Their GPU is still to come.
        (ON_GPUS, ZERO, "cuda", "as the encoders"),
        (ON_CPUS, TWO, "cpu", "as the encoders"),
        (None, TWO, "cuda", "2 GPUs available"),
        (None, NONE, "cpu", "no GPUs available"),
        (None, ZERO, "cpu", "no GPUs available"),
        (Encoding("cuda", 0.45), TWO, "cuda", "as the encoders"),
        (Encoding("cuda", 0.5), TWO, "cpu", "--gpus-per-encoder 0.5 leaves 0 of a GPU"),
        (Encoding("cuda", 0.95), TWO, "cpu", "leaves 0.05 of a GPU, and a search takes 0.1"),
    ],
)
def test_auto(encoding: Encoding | None, cluster: Cluster, device: str, why: str) -> None:
    choice = choose_search_device("auto", encoding, cluster)
    assert choice.device == device
    assert choice.reason.startswith(f"search device auto took {device}: ")
    assert why in choice.reason


@pytest.mark.parametrize("cluster", [TWO, ZERO])
@pytest.mark.parametrize("encoding", [None, ON_CPUS, ON_GPUS, Encoding("cuda", 0)])
def test_a_gpu_that_is_there_or_can_come(encoding: Encoding | None, cluster: Cluster) -> None:
    assert choose_search_device("cuda", encoding, cluster).device == "cuda"
    assert choose_search_device("cpu", encoding, cluster).device == "cpu"


def test_a_gpu_that_cannot_come() -> None:
    with pytest.raises(SettingsError, match=r"^search device cuda was asked for, and no GPU is"):
        choose_search_device("cuda", None, NONE)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_gpu_of_which_encoders_leave_nothing(device: Device) -> None:
    with pytest.raises(SettingsError, match=r"--gpus-per-encoder 1 leaves 0 of a GPU, .* cpu$"):
        choose_search_device("cuda", Encoding(device, 1.0), TWO)
