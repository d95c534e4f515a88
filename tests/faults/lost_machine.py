"""Run `score` on a cluster of three raylets, of which one is lost midway and another one joins."""

from __future__ import annotations

import sys
import threading
import time

import ray
from ray.cluster_utils import Cluster

from ufd_ray.command_line import read_settings, run_job
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import RunFolder, StorageOptions, list_folder

_ROOM = 150 * 2**20


def main() -> None:
    settings = read_settings(ScoreSettings, sys.argv[1:])
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": _ROOM}
    )
    cluster.add_node(num_cpus=2, object_store_memory=_ROOM)
    victim = cluster.add_node(num_cpus=2, object_store_memory=_ROOM)
    ray.init(address=cluster.address, log_to_driver=False)

    run = RunFolder(settings.output, settings.run_id or "", StorageOptions.of(settings))

    def lose() -> None:
        while not list_folder(run.checkpoint, run.options):
            time.sleep(0.2)
        cluster.remove_node(victim, allow_graceful=False)
        print("a machine was lost", flush=True)
        cluster.add_node(num_cpus=2, object_store_memory=_ROOM)

    threading.Thread(target=lose, daemon=True).start()
    try:
        run_job(ScoreSettings, score, sys.argv[1:])
    finally:
        ray.shutdown()
        cluster.shutdown()  # else the next Ray on this machine looks for it, for minutes


if __name__ == "__main__":
    main()
