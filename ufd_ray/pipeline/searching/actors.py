"""Processes of their own that search: one for each part of a bank, or on GPUs for each copy."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ufd_ray.detectors import NeighborSearch
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.placement import SEARCHING, SEARCHING_GPU
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.searching.asked import TRIES
from ufd_ray.pipeline.searching.bank_rows import BankRows
from ufd_ray.pipeline.searching.copied import BankCopy
from ufd_ray.pipeline.searching.plan import SearchPlan
from ufd_ray.pipeline.searching.shard import SearchShard

_GRAINS = 10_000
"""In so many parts of a CPU or GPU Ray counts."""


class _ShardActor(SearchShard):
    def __init__(self, num_shards_here: int, *arguments: Any) -> None:
        torch.set_num_threads(max(1, this_node()[0] // num_shards_here))
        super().__init__(*arguments)

    def prepare(self) -> None:
        """Load beside whatever else starts; what goes wrong is told when the part is asked."""
        with suppress(UfdError):
            self.load()


class _CopyActor(BankCopy):
    def __init__(self, whole: list[Any], *arguments: Any) -> None:
        def fetch() -> NeighborSearch:
            with our_errors_only():
                found: NeighborSearch = ray.get(whole[0])
            return found

        super().__init__(fetch, *arguments)

    def prepare(self) -> None:
        """As `_ShardActor.prepare`."""
        with suppress(UfdError):
            self.load()


def start_shards(plan: SearchPlan, rows: BankRows, rank: Any) -> tuple[Any, ...]:
    """An actor a part, dealt out to the machines that search.

    Args:
        plan: how many, and where.
        rows: of the bank.
        rank: reference to the place of every row among equals.
    """
    nodes, num_rows = plan.nodes or _nodes_that_take_work(), sum(rows.counts)
    cuts = [num_rows * number // plan.num_shards for number in range(plan.num_shards + 1)]
    return tuple(
        _start(
            _ShardActor,
            plan,
            nodes[number % len(nodes)],
            plan.shards_a_machine,
            rows,
            range(cuts[number], cuts[number + 1]),
            plan.rows_held,
            plan.rows_at_once,
            rank,
            plan.device,
        )
        for number in range(plan.num_shards)
    )


def start_copies(plan: SearchPlan, whole: Any) -> tuple[Any, ...]:
    """An actor on each machine whose GPU searches; on CPUs there is none.

    Args:
        plan: where.
        whole: reference to the search in all rows.
    """
    # In a list, since an error instead of it would end an actor that has it as an argument.
    return tuple(_start(_CopyActor, plan, node, [whole], plan.device) for node in plan.nodes)


def _start(kind: type, plan: SearchPlan, node: str, *arguments: Any) -> Any:
    """Start an actor on a machine by name, since what one may hold was counted for that.

    When the machine is lost, it is made again on another one. It takes few CPUs, so that it fits
    beside whatever else there is; but some, which keeps it off heads that take no work. On a GPU it
    takes none: decoding may fill them all.
    """
    share = SEARCHING_GPU if plan.device == "cuda" else SEARCHING
    takes = max(1, int(share / plan.shards_a_machine * _GRAINS)) / _GRAINS
    on_gpu = plan.device == "cuda"
    actor = ray.remote(
        num_cpus=0 if on_gpu else takes,
        num_gpus=takes if on_gpu else 0,
        max_restarts=-1,
        max_task_retries=TRIES,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
    )(kind).remote(*arguments)
    actor.prepare.remote()
    return actor


def _nodes_that_take_work() -> tuple[str, ...]:
    return tuple(
        sorted(
            node["NodeID"]
            for node in ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        )
    )
