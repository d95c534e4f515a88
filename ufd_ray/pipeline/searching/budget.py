"""How much memory a bank may take where it is searched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.searching.gpus import Gpus
from ufd_ray.settings import SearchSettings

SHARE_OF_MEMORY = 0.4
"""Of what Ray has for workers on a machine; encoders, readers and detectors want the rest."""
SHARE_OF_STORE = 0.5
"""Of a machine's object store; blocks under way want the rest, and Ray Data takes as much."""
SHARE_OF_GPU = 0.3
"""Of a GPU's memory; an encoder, the products of a batch, and what a machine that was lost had
searched want the rest."""
MIB = 2**20
_EVIDENCE_BYTES = 160
"""About what the words on one row take, and its rank: most of it is names."""


@dataclass(frozen=True)
class Budget:
    """What a bank may take.

    Attributes:
        num_bytes: of memory.
        of: whose.
    """

    num_bytes: int
    of: Literal["machine", "GPU"]

    def say(self, size: int) -> str:
        """What a bank of so many bytes takes, and may take."""
        return f"the bank takes {_mib(size)}, and may take {_mib(self.num_bytes)} of each {self.of}"


def find_budget(settings: SearchSettings, cluster: Cluster, gpus: Gpus | None) -> Budget:
    """What was asked for, or a share of a machine's memory or of a GPU's, whichever is less.

    Args:
        settings: what was asked for.
        cluster: the machines that search.
        gpus: their GPUs; None: they search on CPUs.
    """
    if settings.search_memory_mb is not None:
        return Budget(settings.search_memory_mb * MIB, "GPU" if gpus else "machine")
    of_a_machine = Budget(int(SHARE_OF_MEMORY * cluster.memory), "machine")
    if gpus is None:
        return of_a_machine
    of_a_gpu = Budget(int(SHARE_OF_GPU * gpus.memory), "GPU")
    return min(of_a_gpu, of_a_machine, key=lambda budget: budget.num_bytes)


def objection_to_copies(size: int, num_rows: int, budget: Budget, cluster: Cluster) -> str | None:
    """Why not every machine can have the whole bank; None: it can."""
    if size > budget.num_bytes:
        return budget.say(size)
    room = int(SHARE_OF_STORE * cluster.object_store)
    stored = size + num_rows * _EVIDENCE_BYTES
    if stored > room:
        return f"the bank takes {_mib(stored)}, and half of an object store here is {_mib(room)}"
    return None


def _mib(num_bytes: int) -> str:
    return f"{math.ceil(num_bytes / MIB):,} MiB"
