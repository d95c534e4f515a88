"""Where a bank is searched: decided once a job by its size and the machines, said in one line."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from ufd_ray.detectors import search_bytes
from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.searching.budget import MIB, Budget, find_budget, objection_to_copies
from ufd_ray.pipeline.searching.gpus import Gpus
from ufd_ray.settings import Device, SearchMode, SearchSettings
from ufd_ray.storage import BankInfo

STREAMED_QUERIES = 4096
"""Queries that share one reading of the rows that no machine has room for."""
QUERIES_ON_A_GPU = 2048
"""Queries that a GPU is given at a time: a few hundred take it nearly as long."""
PARTS_ON_A_GPU = 8
"""Most parts of one machine: each is a process, and takes some of its GPU before the first row."""


@dataclass(frozen=True)
class SearchPlan:
    """Where a bank is searched.

    Attributes:
        mode: `replicated` or `sharded`.
        num_shards: parts that it is searched in; 1 where it is replicated.
        shards_a_machine: most of them on one machine.
        rows_held: rows of a part that stay in memory.
        rows_at_once: rows of the others that are in memory at a time; 0: there are no others.
        bank_bytes: memory that a search in the whole bank takes.
        budget_bytes: memory that it may take of each machine, or of its GPU where that is less.
        why: the reason, for a person.
        device: where products are computed.
        nodes: ids of the machines whose GPUs search; none on CPUs.
    """

    mode: SearchMode
    num_shards: int
    shards_a_machine: int
    rows_held: int
    rows_at_once: int
    bank_bytes: int
    budget_bytes: int
    why: str
    device: Device = "cpu"
    nodes: tuple[str, ...] = ()

    @property
    def is_streamed(self) -> bool:
        """Whether rows are read again for every batch."""
        return self.rows_at_once > 0

    @property
    def queries_at_once(self) -> int | None:
        """Queries that a batch should have; None: as many as come."""
        if self.is_streamed:
            return STREAMED_QUERIES
        return QUERIES_ON_A_GPU if self.device == "cuda" else None

    @property
    def batches_at_once(self) -> int:
        """Batches that a worker should have under way: it waits while others search."""
        return 2 if self.mode == "sharded" or self.device == "cuda" else 1

    def __str__(self) -> str:
        parts = "" if self.mode == "replicated" else f" in {self.num_shards:,} parts"
        return f"search: {self.mode}{parts} on {self.device}, {self.why}"

    def to_dict(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return {name: value for name, value in asdict(self).items() if name != "nodes"}


def plan_search(settings: SearchSettings, bank: BankInfo, machines: Cluster | Gpus) -> SearchPlan:
    """Decide for the machines that are up now.

    A machine's budget is `--search-memory-mb`, or a share of its memory; a GPU's likewise. Where
    all machines are to have the whole bank it lies in their object stores, of which it may take
    half.

    Args:
        settings: what was asked for.
        bank: what is searched: rows of view 0 and split `train`.
        machines: on whose CPUs, or on whose GPUs.

    Raises:
        SettingsError: `--search replicated`, and the bank does not fit; or more parts than GPUs
            have room for.
        ClusterError: no machine that takes work is up.
    """
    gpus = machines if isinstance(machines, Gpus) else None
    cluster = machines.cluster if isinstance(machines, Gpus) else machines
    if not cluster.num_nodes:
        raise ClusterError("no machine is up that a bank could be searched on")
    budget = find_budget(settings, cluster, gpus)
    size = search_bytes(bank.num_searchable, bank.dim, bank.dtype)
    objection = objection_to_copies(size, bank.num_searchable, budget, cluster)
    if settings.search == "replicated" and objection:
        raise SettingsError(
            f"--search replicated: {objection}; raise --search-memory-mb or Ray's object store,"
            " take larger machines, or let the bank be searched in parts (--search sharded)"
        )
    asked = "as asked: " if settings.search != "auto" else ""
    if settings.search == "sharded" or objection:
        why = asked + budget.say(size) if asked else str(objection)
        return _sharded(settings.search_shards, bank, size, budget, cluster, why, gpus)
    why = asked + budget.say(size)
    num_rows = bank.num_searchable
    return SearchPlan("replicated", 1, 1, num_rows, 0, size, budget.num_bytes, why, *_on(gpus))


def _sharded(
    asked: int | None,
    bank: BankInfo,
    size: int,
    budget: Budget,
    cluster: Cluster,
    because: str,
    gpus: Gpus | None,
) -> SearchPlan:
    num_rows, machines = bank.num_searchable, cluster.num_nodes
    num_shards = max(1, min(asked or machines, num_rows))  # no part is empty
    a_machine = math.ceil(num_shards / machines)
    if gpus and a_machine > PARTS_ON_A_GPU:
        raise SettingsError(
            f"--search-shards {num_shards}: that is {a_machine:,} on a machine, and a GPU has room"
            f" for {PARTS_ON_A_GPU}; give at most {PARTS_ON_A_GPU * machines:,}, or none for one a"
            " machine"
        )
    rows, total = math.ceil(num_rows / num_shards), budget.num_bytes
    shard_size = search_bytes(rows, bank.dim, bank.dtype)
    plan = SearchPlan("sharded", num_shards, a_machine, rows, 0, size, total, because, *_on(gpus))
    if shard_size * a_machine <= total:
        return plan
    fit = rows * total // (shard_size * a_machine)
    at_once = max(1, fit // 4)
    held = max(0, fit - at_once)
    enough = math.ceil(shard_size * a_machine / MIB)
    why = (
        f"{because}; {held / rows:.0%} of it stays in memory, and the rest is read again for every"
        f" {STREAMED_QUERIES:,} images, which is slow: --search-memory-mb {enough} would spare"
        f" that, or {math.ceil(size / max(total, 1)):,} machines like these"
    )
    return replace(plan, rows_held=held, rows_at_once=at_once, why=why)


def _on(gpus: Gpus | None) -> tuple[Device, tuple[str, ...]]:
    return ("cuda", gpus.nodes) if gpus else ("cpu", ())
