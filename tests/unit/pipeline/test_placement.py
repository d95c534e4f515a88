from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ufd_ray.errors import ClusterError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.placement import (
    SEARCHING,
    SEARCHING_GPU,
    Placement,
    Pool,
    fit_on_gpus,
    place,
)
from ufd_ray.pipeline.searching import Encoding
from ufd_ray.settings import BuildBankSettings, Device


def placed(device: Device, cluster: Cluster, search: Device = "cpu", **settings: Any) -> Placement:
    job = BuildBankSettings(input=["/in"], output="/out", **settings)
    return place(job, device, cluster, search)


@pytest.mark.parametrize(
    ("gpus", "share", "most", "start"),
    [(4, None, None, 4), (4, 0.5, None, 8), (4, None, 2, 2), (1, None, 3, 1), (0, None, None, 1)],
)
def test_encoders_on_gpus(gpus: int, share: float | None, most: int | None, start: int) -> None:
    cluster = Cluster((16,), num_gpus=gpus, may_grow=True)
    encoders = placed("cuda", cluster, num_encoders=most, gpus_per_encoder=share).encoders
    assert encoders == Pool(start, most, 0, share or 1)


def test_a_device_of_cpus_takes_gpus_only_by_name() -> None:
    cluster = Cluster((4,), num_gpus=2)
    assert placed("cpu", cluster).encoders.num_gpus == 0
    assert placed("cpu", cluster, gpus_per_encoder=1).encoders.num_gpus == 1


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_detectors_never_ask_for_a_gpu(device: Device) -> None:
    for search in ("cpu", "cuda"):
        assert placed(device, Cluster((8,), num_gpus=8), search).detectors.num_gpus == 0


@pytest.mark.parametrize(
    ("search", "given", "share", "start"),
    [
        ("cpu", None, 1, 12),
        ("cuda", None, 0.9, 12),
        ("cuda", 0.45, 0.45, 24),
        # No GPU lends its rest to another one.
        ("cpu", 0.3, 0.3, 36),
    ],
)
def test_encoders_leave_a_search_its_share_of_every_gpu(
    search: Device, given: float | None, share: float, start: int
) -> None:
    cluster = Cluster((16,), num_gpus=12, may_grow=True)
    encoders = placed("cuda", cluster, search, gpus_per_encoder=given).encoders
    assert encoders == Pool(start, None, 0, share)
    assert encoders.on_a_node(16, 12) == start


def test_encoders_on_cpus_leave_gpus_alone_beside_a_search() -> None:
    assert placed("cpu", Cluster((4,), num_gpus=1), "cuda").encoders.num_gpus == 0


@given(share=st.none() | st.floats(0.02, 1))
@example(share=None)
@example(share=0.3)
@example(share=0.9)
def test_on_a_gpu_as_many_encoders_fit_whoever_comes_first(share: float | None) -> None:
    """What ten machines search there takes no encoder its place; or the search is not let in."""
    if share and Encoding("cuda", share).objection:
        return
    cluster = Cluster((8,), num_gpus=1)
    encoders = placed("cuda", cluster, "cuda", gpus_per_encoder=share).encoders
    most = fit_on_gpus(encoders.num_gpus, 1)
    assert most >= 1
    assert 10 * SEARCHING_GPU + most * encoders.num_gpus <= 1 + 1e-6


def test_pools_follow_the_machines_only_where_any_can_come() -> None:
    assert placed("cpu", Cluster((4, 4))).detectors.most == 2
    assert placed("cpu", Cluster((4, 4), may_grow=True)).detectors.most is None


@given(cpus=st.integers(2, 256), nodes=st.integers(1, 5), most=st.none() | st.integers(1, 64))
def test_encoders_on_cpus_fit_and_leave_room(cpus: int, nodes: int, most: int | None) -> None:
    """As many as were asked for, beside a detector, parts of a bank and the listing's one CPU."""
    placement = placed("cpu", Cluster((cpus,) * nodes), num_encoders=most)
    encoders = placement.encoders
    a_node = math.ceil(most / nodes) if most else 1
    others = 1 + placement.detectors.num_cpus + SEARCHING
    assert cpus - a_node * encoders.num_cpus >= others - 1e-9
    assert encoders.start == (most or nodes)
    assert encoders.most in (most, most or nodes)
    if encoders.most is None:
        assert 2 * encoders.num_cpus > cpus, "a second one fits"


@given(
    cpus=st.lists(st.integers(1, 64), min_size=1, max_size=5).filter(lambda cpus: max(cpus) >= 2),
    most=st.none() | st.integers(1, 64),
)
@example(cpus=[2, 8], most=5)
def test_on_unequal_nodes_encoders_leave_room_however_they_are_packed(
    cpus: list[int], most: int | None
) -> None:
    placement = placed("cpu", Cluster(tuple(cpus), may_grow=True), num_encoders=most)
    encoders, others = placement.encoders, 1 + placement.detectors.num_cpus + SEARCHING
    # The fewest that it takes to leave no node with room for the others.
    fit = [math.floor(num / encoders.num_cpus + 1e-9) for num in cpus]
    spoiling = [math.floor((num - others) / encoders.num_cpus + 1e-9) + 1 for num in cpus]
    room = [
        (few, all_) for few, all_, num in zip(spoiling, fit, cpus, strict=True) if num >= others
    ]
    assert any(few > all_ for few, all_ in room) or encoders.start < sum(few for few, _ in room)


def test_a_machine_of_one_cpu_is_not_enough() -> None:
    with pytest.raises(ClusterError, match=r"no machine here has two CPUs.*\(1, 1\)"):
        placed("cpu", Cluster((1, 1)))


@pytest.mark.parametrize(("cpus", "threads_each"), [(2, 2), (4, 4), (16, 16), (32, 32)])
def test_an_encoder_has_its_node_to_itself(cpus: int, threads_each: int) -> None:
    pool = placed("cpu", Cluster((cpus,))).encoders
    assert cpus // pool.on_a_node(cpus, 0) == threads_each


def test_of_unequal_nodes_the_usual_one_counts() -> None:
    pool = placed("cpu", Cluster((16, 4, 4, 4, 1))).encoders
    assert pool.num_cpus == pytest.approx(2.01)
    assert pool.start == 4, "the node with one CPU only decodes"
    assert pool.on_a_node(16, 0) == 7


def test_encoders_that_share_a_gpu_share_the_cores() -> None:
    assert Pool(1, None, 0, 0.5).on_a_node(16, 2) == 4


def test_it_is_said_in_one_line() -> None:
    said = str(placed("cuda", Cluster((16,), num_gpus=4, may_grow=True)))
    assert said == (
        "encoders: 4 to begin with, as many as fit (1 GPU each) ·"
        " detectors: 1 to begin with, as many as fit (2 CPU each) ·"
        " fetching and decoding: wherever there are CPUs"
    )
