"""A bank that can be searched from every worker: whole in the object store, or in parts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import ray

from ufd_ray.detectors import Search
from ufd_ray.pipeline.placement import LIGHT
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.searching.actors import start_copies, start_shards
from ufd_ray.pipeline.searching.asked import CopiedSearch, ShardedSearch
from ufd_ray.pipeline.searching.bank_rows import (
    BankRows,
    check_count,
    join_evidence,
    read_evidence,
    read_whole,
)
from ufd_ray.pipeline.searching.plan import SearchPlan
from ufd_ray.storage import BankInfo, StorageOptions


@dataclass(frozen=True)
class OpenSearch:
    """A bank that is being searched. It goes to workers with the stage that searches.

    Attributes:
        plan: how.
        evidence: reference to a `pa.Table`: `image_id`, `uri`, `label`, `source` of every row.
        whole: reference to the search in all rows; None: there are parts.
        rank: reference to the place of every row among equals; None: there are no parts.
        actors: a part of the bank each, or on GPUs a copy; none where workers search by themselves.
    """

    plan: SearchPlan
    evidence: Any
    whole: Any = None
    rank: Any = None
    actors: tuple[Any, ...] = ()

    def connect(self) -> tuple[Search, Any]:
        """Called in a worker: the search, and the evidence, both without a copy on this node.

        Raises:
            StorageError: the bank cannot be read or used.
        """
        with our_errors_only():
            evidence = ray.get(self.evidence)
            if self.rank is not None:
                return ShardedSearch(self.actors, ray.get(self.rank)), evidence
            if self.actors:
                return CopiedSearch(self.actors), evidence
            return ray.get(self.whole), evidence

    def close(self) -> None:
        """End the actors."""
        for actor in self.actors:
            ray.kill(actor)


def open_search(plan: SearchPlan, bank: BankInfo, storage: StorageOptions) -> OpenSearch:
    """Have a bank read by workers, never by the driver, and make ready to search it.

    Raises:
        StorageError: `sharded`: the bank cannot be read. (`replicated`: `connect` raises that.)
    """
    if plan.mode == "replicated":
        whole, evidence = _task(read_whole, LIGHT).remote(bank, storage, plan.device)
        return OpenSearch(plan, evidence, whole=whole, actors=start_copies(plan, whole))
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
    return OpenSearch(plan, evidence, rank=rank, actors=start_shards(plan, rows, rank))


def _task(function: Any, num_cpus: float) -> Any:
    return ray.remote(num_cpus=num_cpus, num_returns=2)(function)
