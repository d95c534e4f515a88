"""Run `score` on a cluster of three raylets, of which one is lost midway and another one joins."""

from __future__ import annotations

import sys
import threading
import time

import ray
from ray.cluster_utils import Cluster

from ufd_ray.command_line import run_job
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings

_AFTER_S = 14.0
_ROOM = 150 * 2**20


def main() -> None:
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": _ROOM}
    )
    cluster.add_node(num_cpus=2, object_store_memory=_ROOM)
    victim = cluster.add_node(num_cpus=2, object_store_memory=_ROOM)
    ray.init(address=cluster.address, log_to_driver=False)

    def lose() -> None:
        time.sleep(_AFTER_S)
        cluster.remove_node(victim, allow_graceful=False)
        print("a machine was lost", flush=True)
        cluster.add_node(num_cpus=2, object_store_memory=_ROOM)

    threading.Thread(target=lose, daemon=True).start()
    run_job(ScoreSettings, score, sys.argv[1:])


if __name__ == "__main__":
    main()
