"""The one decision on who may use which machine: made once a job, said in one line.

Encoders ask for GPUs, and so does a search on them; detectors never do. Neither may hold a GPU
against the other, whoever comes first. So encoders leave a share of every GPU, and all that is
searched on a machine takes a tenth of that share: Ray puts no fraction on two GPUs, and packs
several on one, where an encoder must fit beside them, and so must what nine machines that were lost
had searched. Whoever searches on a GPU is started once on each machine, by name, and none is added.

Fetching and decoding ask for a share of a CPU wherever there is one, machines without a GPU
included.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ray.data import ActorPoolStrategy

from ufd_ray.errors import ClusterError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.settings import Device, ImageSettings

LIGHT = 0.25
"""CPUs that Ray sets aside for work that mostly waits."""
SEARCHING = 0.05
"""CPUs that Ray sets aside on a machine for all parts of a bank that are searched there."""
GPU_FOR_SEARCH = 0.1
"""Of every GPU, what encoders leave where a bank is searched on GPUs."""
SEARCHING_GPU = GPU_FOR_SEARCH / 10
"""Of a GPU, what Ray sets aside on a machine for all that is searched there."""
_READING = 1.0
"""CPUs that encoders leave to fetching and decoding on the smallest machines."""


@dataclass(frozen=True)
class Pool:
    """Equal workers of one stage.

    Attributes:
        start: how many of them are asked for at first.
        most: how many there may be; None: as many as the machines hold, as these come and go.
        num_cpus: logical CPUs that each sets aside.
        num_gpus: GPUs that each sets aside.
    """

    start: int
    most: int | None
    num_cpus: float
    num_gpus: float = 0

    @property
    def resources(self) -> dict[str, float]:
        """What one worker asks Ray for."""
        return {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus}

    def arguments(self, batches_at_once: int = 1) -> dict[str, Any]:
        """The pool as `map_batches` takes it. One worker is all that it insists on.

        Args:
            batches_at_once: that each worker takes, in threads: for stages that mostly wait.
        """
        pool = ActorPoolStrategy(
            min_size=1,
            max_size=self.most,
            initial_size=self.start,
            max_concurrent_calls_per_actor=batches_at_once,
            enable_true_multi_threading=batches_at_once > 1,
        )
        return {"compute": pool, **self.resources}

    def on_a_node(self, num_cpus: float, num_gpus: float) -> int:
        """How many of them a node with so many CPUs and GPUs may come to hold."""
        fit = fit_on_gpus(self.num_gpus, num_gpus) if self.num_gpus else num_cpus // self.num_cpus
        return int(max(1, min(fit, self.most or fit)))

    def __str__(self) -> str:
        takes = f"{self.num_gpus:g} GPU" if self.num_gpus else f"{self.num_cpus:g} CPU"
        most = "as many as fit" if self.most is None else f"at most {self.most:,}"
        return f"{self.start:,} to begin with, {most} ({takes} each)"


@dataclass(frozen=True)
class Placement:
    """Which workers there are, and what each takes.

    Attributes:
        encoders: pixels → embeddings.
        detectors: embeddings → scores.
    """

    encoders: Pool
    detectors: Pool

    def __str__(self) -> str:
        return (
            f"encoders: {self.encoders} · detectors: {self.detectors} ·"
            " fetching and decoding: wherever there are CPUs"
        )


def fit_on_gpus(share: float, num_gpus: float) -> int:
    """How many workers with such a share of a GPU fit: none lies on two GPUs."""
    return int(num_gpus) * math.floor(1 / share + 1e-9)


def gpus_of_an_encoder(settings: ImageSettings, device: Device, search: Device) -> float:
    """The share of a GPU that each encoder takes from Ray, beside a search on that device."""
    if settings.gpus_per_encoder is not None:
        return settings.gpus_per_encoder
    if device == "cpu":
        return 0.0
    return 1 - GPU_FOR_SEARCH if search == "cuda" else 1.0


def place(
    settings: ImageSettings, device: Device, cluster: Cluster, search: Device = "cpu"
) -> Placement:
    """Decide for the machines that are up now; pools follow them as they come and go.

    Args:
        settings: the job's.
        device: on which encoders compute.
        cluster: as it is.
        search: on which a bank is searched at the same time.

    Raises:
        ClusterError: none has the two CPUs that reading takes beside the other workers.
    """
    if max(cluster.cpus_by_node, default=0) < 2:
        raise ClusterError(
            "no machine here has two CPUs, as Ray counts them, and one of them has to"
            f" ({', '.join(map(str, cluster.cpus_by_node)) or 'none has any'})"
        )
    gpus = gpus_of_an_encoder(settings, device, search)
    # Each uses all cores of its node while it computes, so one a node is enough. Where machines can
    # join, the pool has no bound, and a node that is not busy otherwise may hold several.
    most = None if cluster.may_grow else cluster.num_nodes
    detectors = Pool(1, most, max(LIGHT, _usual_cpus(cluster) / 8))
    encoders = (
        _on_gpus(gpus, settings.num_encoders, cluster)
        if gpus
        else _on_cpus(settings.num_encoders, cluster, _READING + detectors.num_cpus + SEARCHING)
    )
    return Placement(encoders, detectors)


def _on_gpus(gpus: float, most: int | None, cluster: Cluster) -> Pool:
    # No CPU: decoding may fill them all, and an encoder on a new GPU must not wait for that.
    there = max(1, fit_on_gpus(gpus, cluster.num_gpus))
    return Pool(min(there, most or there), most, 0, gpus)


def _on_cpus(most: int | None, cluster: Cluster, others: float) -> Pool:
    """Encoders that use all cores of a node, so that one is as good as several.

    Each sets aside a little more than half of the usual node, and Ray can put no second one there
    (or so much that `--num-encoders` of them fit): a pool without a bound then still has one a
    node, also on nodes that join later. Nodes that are much smaller than the usual one only decode.
    Where half would leave less than `others`, on the smallest nodes, each takes less, and the pool
    does not grow.
    """
    cpus, nodes = _usual_cpus(cluster), max(1, cluster.num_nodes)
    a_node = math.ceil(most / nodes) if most else 1
    exclusive = cpus / (a_node + 1) + 0.01
    affordable = (cpus - others) / a_node
    if exclusive <= affordable:
        large_enough = sum(num >= exclusive for num in cluster.cpus_by_node)
        return Pool(most or max(1, large_enough), most, exclusive)
    num_cpus = max(affordable, LIGHT / a_node)
    # Smaller nodes hold fewer than the usual one; so many that, wherever Ray puts them, some node
    # keeps the room of the others.
    there = sum(math.floor(max(0, n - others) / num_cpus + 1e-9) for n in cluster.cpus_by_node)
    start = max(1, min(most or nodes, there))
    return Pool(start, start, num_cpus)


def _usual_cpus(cluster: Cluster) -> int:
    counts = Counter(cluster.cpus_by_node)
    return max(counts, key=lambda cpus: (counts[cpus], cpus), default=1)
