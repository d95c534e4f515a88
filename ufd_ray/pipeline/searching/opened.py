"""A bank that can be searched from every worker: whole in the object store, or in parts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
import ray
import ray.exceptions
import torch
from numpy.typing import NDArray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ufd_ray.detectors import Embeddings, Neighbors, Search, SearchCounts, merge_neighbors
from ufd_ray.errors import ClusterError, UfdError
from ufd_ray.pipeline.cluster import this_node
from ufd_ray.pipeline.placement import LIGHT, SEARCHING
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.searching.bank_rows import (
    BankRows,
    check_count,
    join_evidence,
    read_evidence,
    read_whole,
)
from ufd_ray.pipeline.searching.plan import SearchPlan
from ufd_ray.pipeline.searching.shard import SearchShard
from ufd_ray.storage import BankInfo, StorageOptions

_TRIES = 20
"""How often a question is put again to a part whose process was lost: no part that dies of the
question itself, or of too little memory, may hold a run up for ever."""

_GRAINS = 10_000
"""In so many parts of a CPU Ray counts."""


@dataclass(frozen=True)
class OpenSearch:
    """A bank that is being searched. It goes to workers with the stage that searches.

    Attributes:
        plan: how.
        evidence: reference to a `pa.Table`: `image_id`, `uri`, `label`, `source` of every row.
        whole: reference to the search in all rows; None: there are parts.
        rank: reference to the place of every row among equals; None: there are no parts.
        shards: actors, a part of the bank each.
    """

    plan: SearchPlan
    evidence: Any
    whole: Any = None
    rank: Any = None
    shards: tuple[Any, ...] = ()

    def connect(self) -> tuple[Search, Any]:
        """Called in a worker: the search, and the evidence, both without a copy on this node.

        Raises:
            StorageError: the bank cannot be read or used.
        """
        with our_errors_only():
            evidence = ray.get(self.evidence)
            if self.whole is not None:
                return ray.get(self.whole), evidence
            return ShardedSearch(self.shards, ray.get(self.rank)), evidence

    def close(self) -> None:
        """End the actors."""
        for shard in self.shards:
            ray.kill(shard)


class ShardedSearch:
    """The search in all parts of a bank, asked at the same time.

    Args:
        shards: actors, a part of the bank each, in the order of rows.
        rank: (N,) int64, place of every row among equals.
    """

    def __init__(self, shards: Sequence[Any], rank: NDArray[np.int64]) -> None:
        self._shards = shards
        self._rank = rank

    def search(
        self, queries: Embeddings, k: int, *, leave_out: NDArray[np.int64] | None = None
    ) -> Neighbors:
        """As `NeighborSearch.search`, to the bit.

        Raises:
            ValueError: as there.
            StorageError: rows cannot be read or searched.
            ClusterError: a part's process was lost again and again.
        """
        most = len(self._rank) - (leave_out is not None)
        if not 0 <= k <= most:
            raise ValueError(f"k must be from 0 to {most}, the rows that can be found, but is {k}")
        if not len(queries):  # parts that are streamed would be read for nothing
            return _nothing(k)
        # Once for all parts; each machine fetches it once, from the object store.
        asked = ray.put(queries)
        with our_errors_only():
            try:
                parts = ray.get([s.search.remote(asked, k, leave_out) for s in self._shards])
            except ray.exceptions.RayActorError as error:
                raise ClusterError(
                    f"a part of the bank was lost {_TRIES} times while it was searched: its machine"
                    " may have too little memory (--search-memory-mb)"
                ) from error
        return merge_neighbors(parts, self._rank, k)


def _nothing(k: int) -> Neighbors:
    return Neighbors(
        index=np.empty((0, k), np.int64),
        similarity=np.empty((0, k)),
        real_similarity=np.empty(0),
        fake_similarity=np.empty(0),
        counts=SearchCounts(),
    )


def open_search(plan: SearchPlan, bank: BankInfo, storage: StorageOptions) -> OpenSearch:
    """Have a bank read by workers, never by the driver, and make ready to search it.

    Raises:
        StorageError: `sharded`: the bank cannot be read. (`replicated`: `connect` raises that.)
    """
    if plan.mode == "replicated":
        whole, evidence = _task(read_whole, LIGHT).remote(bank, storage)
        return OpenSearch(plan, evidence, whole=whole)
    # A whole CPU for each, since each holds a file; they are done before a flow wants CPUs.
    task, num_files = _task(read_evidence, 1), len(bank.shards)
    num_tasks = min(plan.num_shards, num_files)
    cuts = [num_files * number // num_tasks for number in range(num_tasks + 1)]
    read = [task.remote(bank, range(*files), storage) for files in pairwise(cuts)]
    with our_errors_only():
        counts = tuple(chain.from_iterable(ray.get([counted for counted, _ in read])))
    check_count(bank, sum(counts))
    evidence, rank = _task(join_evidence, LIGHT).remote(*(table for _, table in read))
    rows = BankRows(bank, storage, counts)
    return OpenSearch(plan, evidence, rank=rank, shards=_start_shards(plan, rows, rank))


def _task(function: Any, num_cpus: float) -> Any:
    return ray.remote(num_cpus=num_cpus, num_returns=2)(function)


class _ShardActor(SearchShard):
    def __init__(self, num_shards_here: int, *arguments: Any) -> None:
        torch.set_num_threads(max(1, this_node()[0] // num_shards_here))
        super().__init__(*arguments)

    def prepare(self) -> None:
        """Load beside whatever else starts; what goes wrong is told when the part is asked."""
        with suppress(UfdError):
            self.load()


def _start_shards(plan: SearchPlan, rows: BankRows, rank: Any) -> tuple[Any, ...]:
    """An actor a part, dealt out to the machines that take work.

    Each is put on a machine by name, since what one may hold was counted for that; when a machine
    is lost, its parts are made again on another one. Few CPUs, so that they fit beside whatever
    else there is; but some, which keeps them off heads that take no work.
    """
    nodes = sorted(
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    )
    num_rows, shards = sum(rows.counts), []
    for number in range(plan.num_shards):
        first, last = (num_rows * n // plan.num_shards for n in (number, number + 1))
        actor = ray.remote(
            num_cpus=max(1, int(SEARCHING / plan.shards_a_machine * _GRAINS)) / _GRAINS,
            max_restarts=-1,
            max_task_retries=_TRIES,
            scheduling_strategy=NodeAffinitySchedulingStrategy(
                nodes[number % len(nodes)], soft=True
            ),
        )(_ShardActor)
        shard = actor.remote(
            plan.shards_a_machine,
            rows,
            range(first, last),
            plan.rows_held,
            plan.rows_at_once,
            rank,
        )
        shard.prepare.remote()
        shards.append(shard)
    return tuple(shards)
