"""Where a bank is searched: from its size, the machines and what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.searching import SearchPlan, plan, plan_search
from ufd_ray.pipeline.searching.gpus import Gpus
from ufd_ray.settings import SearchSettings
from ufd_ray.storage import BankInfo

MIB, GIB = 2**20, 2**30
DIM = 768
ROW = 4000
"""Bytes of a row; what they are in truth depends on the CPU."""


@pytest.fixture(scope="module", autouse=True)
def rows_of_equal_size() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "search_bytes", lambda num_rows, dim, dtype: ROW * num_rows)
        yield


def bank_of(num_rows: int) -> BankInfo:
    return BankInfo("/bank", {}, DIM, "float32", {}, [], num_rows)


def machines(num: int, memory: float = 40, object_store: float = 20) -> Cluster:
    """So many machines, with so many GiB for workers and for objects."""
    return Cluster((8,) * num, memory=int(memory * GIB), object_store=int(object_store * GIB))


def gpus(num: int, memory: float = 80, **host: float) -> Gpus:
    """So many machines, with a GPU of so many GiB each."""
    nodes = tuple(f"{number:04d}" for number in range(num))
    return Gpus(nodes, int(memory * GIB), machines(num, **host))


def planned(num_rows: int, cluster: Cluster | Gpus, **settings: Any) -> SearchPlan:
    return plan_search(SearchSettings(**settings), bank_of(num_rows), cluster)


MILLION = 1_000_000
ASKED: dict[str, Any] = {"search": "sharded"}


@pytest.mark.parametrize(
    ("num_rows", "cluster", "settings", "mode", "num_shards", "is_streamed", "says"),
    [
        (1000, machines(1), {}, "replicated", 1, False, "may take 16,384 MiB of each machine"),
        (MILLION, machines(4), {}, "replicated", 1, False, "of each machine"),
        # Too large for the budget, for the object store, for both.
        (5 * MILLION, machines(4), {}, "sharded", 4, False, "may take 16,384 MiB"),
        (MILLION, machines(3, object_store=5), {}, "sharded", 3, False, "half of an object store"),
        (MILLION, machines(3), {"search_memory_mb": 2000}, "sharded", 3, False, "take 2,000 MiB"),
        (40 * MILLION, machines(4), {}, "sharded", 4, True, "which is slow: --search-memory-mb "),
        # As asked.
        (1000, machines(2), {"search": "replicated"}, "replicated", 1, False, "as asked: "),
        (1000, machines(2), ASKED, "sharded", 2, False, "as asked"),
        (1000, machines(2), ASKED | {"search_shards": 5}, "sharded", 5, False, "as asked"),
        (3, machines(8), ASKED | {"search_shards": 5}, "sharded", 3, False, "3 parts on cpu, as"),
        (1000, machines(2), ASKED | {"search_memory_mb": 1}, "sharded", 2, True, "as asked: "),
    ],
)
def test_what_is_decided(
    num_rows: int,
    cluster: Cluster,
    settings: dict[str, Any],
    mode: str,
    num_shards: int,
    is_streamed: bool,
    says: str,
) -> None:
    made = planned(num_rows, cluster, **settings)
    assert (made.mode, made.num_shards, made.is_streamed) == (mode, num_shards, is_streamed)
    assert says in str(made)
    assert str(made).startswith(f"search: {mode}")
    assert "\n" not in str(made)


@pytest.mark.parametrize(
    ("num_rows", "machines", "settings", "mode", "num_shards", "is_streamed", "says"),
    [
        (MILLION, gpus(4), {}, "replicated", 1, False, "may take 16,384 MiB of each machine"),
        (MILLION, gpus(4, 16), {}, "replicated", 1, False, "may take 4,916 MiB of each GPU"),
        (2 * MILLION, gpus(4, 16), {}, "sharded", 4, False, "may take 4,916 MiB of each GPU"),
        (MILLION, gpus(3, object_store=5), {}, "sharded", 3, False, "half of an object store"),
        (MILLION, gpus(3), {"search_memory_mb": 2000}, "sharded", 3, False, "2,000 MiB of each G"),
        (40 * MILLION, gpus(2), {}, "sharded", 2, True, "which is slow: --search-memory-mb "),
        (1000, gpus(2), ASKED | {"search_shards": 16}, "sharded", 16, False, "as asked"),
    ],
)
def test_what_is_decided_for_gpus(
    num_rows: int,
    machines: Gpus,
    settings: dict[str, Any],
    mode: str,
    num_shards: int,
    is_streamed: bool,
    says: str,
) -> None:
    made = planned(num_rows, machines, **settings)
    assert (made.mode, made.num_shards, made.is_streamed) == (mode, num_shards, is_streamed)
    assert (made.device, made.nodes) == ("cuda", machines.nodes)
    assert says in str(made)
    assert " on cuda, " in str(made)
    assert made.batches_at_once == 2, "workers wait while a GPU searches"


def test_a_gpu_has_room_for_few_processes() -> None:
    with pytest.raises(SettingsError, match=r"that is 9 on a machine, .* give at most 16, or none"):
        planned(1000, gpus(2), **ASKED, search_shards=17)


def test_a_record_names_the_device_and_no_machine() -> None:
    assert planned(1000, gpus(2)).to_dict()["device"] == "cuda"
    assert planned(1000, machines(2)).to_dict()["device"] == "cpu"
    assert "nodes" not in planned(1000, gpus(2)).to_dict()


def test_a_cluster_without_machines() -> None:
    with pytest.raises(ClusterError, match="no machine is up"):
        planned(1000, Cluster(()))


@pytest.mark.parametrize("cluster", [machines(2, memory=1), machines(2, object_store=1)])
def test_what_does_not_fit_is_not_replicated(cluster: Cluster) -> None:
    with pytest.raises(SettingsError, match=r"^--search replicated: the bank takes .*sharded"):
        planned(MILLION, cluster, search="replicated")


@given(
    num_rows=st.integers(1, 10**8),
    num_machines=st.integers(1, 50),
    mib=st.integers(1, 10**6),
    shards=st.none() | st.integers(1, 200),
)
def test_no_machine_holds_more_than_its_budget(
    num_rows: int, num_machines: int, mib: int, shards: int | None
) -> None:
    settings: dict[str, Any] = {"search": "sharded", "search_shards": shards}
    made = planned(num_rows, machines(num_machines), search_memory_mb=mib, **settings)
    assert made.num_shards <= num_rows
    assert made.shards_a_machine * num_machines >= made.num_shards
    held = made.shards_a_machine * ROW * (made.rows_held + made.rows_at_once)
    assert held <= mib * MIB or made.rows_held + made.rows_at_once == 1
    assert made.is_streamed == (made.rows_held < -(-num_rows // made.num_shards))


def test_what_would_spare_the_reading_does() -> None:
    slow = planned(40 * MILLION, machines(4))
    said = str(slow).partition("--search-memory-mb ")[2]
    memory, _, rest = said.partition(" would spare that, or ")
    assert not planned(40 * MILLION, machines(4), search_memory_mb=int(memory)).is_streamed
    more = machines(int(rest.partition(" machines")[0]))
    assert not planned(40 * MILLION, more).is_streamed
    assert planned(40 * MILLION, replace(more, cpus_by_node=more.cpus_by_node[1:])).is_streamed


def test_batches_are_large_on_gpus_and_where_rows_are_read_again() -> None:
    assert planned(40 * MILLION, machines(1)).queries_at_once == 4096
    assert planned(40 * MILLION, gpus(1)).queries_at_once == 4096
    assert planned(1000, machines(1)).queries_at_once is None
    assert planned(1000, gpus(1)).queries_at_once == 2048


@pytest.mark.parametrize("search", ["auto", "replicated"])
def test_a_number_of_parts_is_for_parts(search: str) -> None:
    with pytest.raises(ValidationError, match=f"needs --search sharded: {search} has no use"):
        SearchSettings.model_validate({"search": search, "search_shards": 3})
