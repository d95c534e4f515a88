"""Where a bank is searched: decided once a job by its size and the machines, said in one line."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ufd_ray.detectors import search_bytes
from ufd_ray.errors import ClusterError, SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.settings import SearchMode, SearchSettings
from ufd_ray.storage import BankInfo

SHARE_OF_MEMORY = 0.4
"""Of what Ray has for workers on a machine; encoders, readers and detectors want the rest."""
SHARE_OF_STORE = 0.5
"""Of a machine's object store; blocks under way want the rest, and Ray Data takes as much."""
STREAMED_QUERIES = 4096
"""Queries that share one reading of the rows that no machine has room for."""
_EVIDENCE_BYTES = 160
"""About what the words on one row take, and its rank: most of it is names."""
_MIB = 2**20


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
        budget_bytes: memory that it may take of each machine.
        why: the reason, for a person.
    """

    mode: SearchMode
    num_shards: int
    shards_a_machine: int
    rows_held: int
    rows_at_once: int
    bank_bytes: int
    budget_bytes: int
    why: str

    @property
    def is_streamed(self) -> bool:
        """Whether rows are read again for every batch."""
        return self.rows_at_once > 0

    @property
    def queries_at_once(self) -> int | None:
        """Queries that a batch should have; None: as many as come."""
        return STREAMED_QUERIES if self.is_streamed else None

    @property
    def batches_at_once(self) -> int:
        """Batches that a worker should have under way: it waits while parts are asked."""
        return 2 if self.mode == "sharded" else 1

    def __str__(self) -> str:
        parts = "" if self.mode == "replicated" else f" in {self.num_shards:,} parts"
        return f"search: {self.mode}{parts}, {self.why}"

    def to_dict(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return asdict(self)


def plan_search(settings: SearchSettings, bank: BankInfo, cluster: Cluster) -> SearchPlan:
    """Decide for the machines that are up now.

    A machine's budget is `--search-memory-mb`, or a share of its memory. Where all machines are to
    have the whole bank it lies in their object stores, of which it may take half.

    Args:
        settings: what was asked for.
        bank: what is searched: rows of view 0 and split `train`.
        cluster: what it is searched on.

    Raises:
        SettingsError: `--search replicated`, and the bank does not fit.
        ClusterError: no machine that takes work is up.
    """
    if not cluster.num_nodes:
        raise ClusterError("no machine is up that a bank could be searched on")
    budget = int(SHARE_OF_MEMORY * cluster.memory)
    if settings.search_memory_mb is not None:
        budget = settings.search_memory_mb * _MIB
    size = search_bytes(bank.num_searchable, bank.dim, bank.dtype)
    objection = _objection(size, bank.num_searchable, budget, cluster)
    if settings.search == "replicated" and objection:
        raise SettingsError(
            f"--search replicated: {objection}; raise --search-memory-mb or Ray's object store,"
            " take larger machines, or let the bank be searched in parts (--search sharded)"
        )
    if settings.search == "sharded" or objection:
        because = (
            f"as asked: {_takes(size, budget)}" if settings.search == "sharded" else str(objection)
        )
        return _sharded(settings.search_shards, bank, size, budget, cluster, because)
    why = ("as asked: " if settings.search == "replicated" else "") + _takes(size, budget)
    return SearchPlan("replicated", 1, 1, bank.num_searchable, 0, size, budget, why)


def _objection(size: int, num_rows: int, budget: int, cluster: Cluster) -> str | None:
    """Why not every machine can have the whole bank; None: it can."""
    if size > budget:
        return _takes(size, budget)
    room = int(SHARE_OF_STORE * cluster.object_store)
    stored = size + num_rows * _EVIDENCE_BYTES
    if stored > room:
        return f"the bank takes {_mib(stored)}, and half of an object store here is {_mib(room)}"
    return None


def _sharded(
    asked: int | None, bank: BankInfo, size: int, budget: int, cluster: Cluster, because: str
) -> SearchPlan:
    num_rows, machines = bank.num_searchable, cluster.num_nodes
    num_shards = max(1, min(asked or machines, num_rows))  # no part is empty
    a_machine = math.ceil(num_shards / machines)
    rows = math.ceil(num_rows / num_shards)
    shard_size = search_bytes(rows, bank.dim, bank.dtype)
    plan = SearchPlan("sharded", num_shards, a_machine, rows, 0, size, budget, because)
    if shard_size * a_machine <= budget:
        return plan
    fit = rows * budget // (shard_size * a_machine)
    at_once = max(1, fit // 4)
    held = max(0, fit - at_once)
    enough = math.ceil(shard_size * a_machine / _MIB)
    why = (
        f"{because}; {held / rows:.0%} of it stays in memory, and the rest is read again for every"
        f" {STREAMED_QUERIES:,} images, which is slow: --search-memory-mb {enough} would spare"
        f" that, or {math.ceil(size / max(budget, 1)):,} machines like these"
    )
    return SearchPlan("sharded", num_shards, a_machine, held, at_once, size, budget, why)


def _takes(size: int, budget: int) -> str:
    return f"the bank takes {_mib(size)}, and may take {_mib(budget)} of each machine"


def _mib(num_bytes: int) -> str:
    return f"{math.ceil(num_bytes / _MIB):,} MiB"
