"""Clusters of several Ray nodes on this machine: nodes that are added, and an autoscaler's."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.processes import free_port, running, wait_for_port
from tests.servers.ray_head import end_session

_RAY = f"{Path(sys.executable).parent}/ray"
_ROOM = f"--object-store-memory={150 * 2**20}"
# Any free port, not those of the fixed range in which another Ray may be.
_PORTS = ("--min-worker-port=0", "--max-worker-port=0")
# How Ray's own provider of nodes on one machine calls the head.
_HEAD_ID = "f" * 51 + "00000"


@dataclass(frozen=True)
class RayNodes:
    """A head and the nodes that were added.

    Attributes:
        environment: variables of a job that is to join it.
        dashboard: URL of the head's API, for questions about tasks and actors.
        add: adds a node with so many CPUs and GPUs (as Ray counts them; there need not be any).
    """

    environment: dict[str, str] = field(repr=False)
    dashboard: str
    add: Callable[[int, int], None]


@contextmanager
def start_ray_nodes(
    head_cpus: int, autoscaler: int | None = None, further: Mapping[str, str] | None = None
) -> Iterator[RayNodes]:
    """Run a cluster that has only its head at first.

    Args:
        head_cpus: what the head gives.
        autoscaler: 1 or 2, the version of Ray's autoscaler that adds a node of 2 CPUs and 1 GPU
            when it is asked for; None: nobody adds any but the test.
        further: variables of all nodes.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "AWS_"))}
    # The tests' own: Ray's client asks for it once a process.
    token = {name: os.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
    own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_register_timeout_seconds": "600"}
    environment = inherited | token | own | dict(further or {})
    with (
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder,
        ExitStack() as started,
    ):
        port, dashboard = free_port(), free_port()
        address = f"127.0.0.1:{port}"
        head = [
            _RAY, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}",
            f"--temp-dir={folder}", f"--num-cpus={head_cpus}", "--num-gpus=0", _ROOM,
            "--include-dashboard=true", "--dashboard-host=127.0.0.1",
            f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={free_port()}",
            f"--metrics-export-port={free_port()}", *_PORTS, "--disable-usage-stats",
        ]  # fmt: skip
        if autoscaler:
            config = Path(folder, "autoscaler.json")
            config.write_text(json.dumps(_autoscaling(address)))
            head.append(f"--autoscaling-config={config}")
            environment |= {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
        if autoscaler == 2:
            environment |= {
                "RAY_enable_autoscaler_v2": "1",
                "RAY_CLOUD_INSTANCE_ID": _HEAD_ID,
                "RAY_OVERRIDE_NODE_ID_FOR_TESTING": _HEAD_ID,
            }

        def run(command: list[str], name: str) -> Any:
            process = started.enter_context(running(command, Path(folder, name), environment))
            started.callback(end_session, process.pid)
            return process

        def add(num_cpus: int, num_gpus: int) -> None:
            run(
                [
                    _RAY, "start", "--block", f"--address={address}", f"--num-cpus={num_cpus}",
                    f"--num-gpus={num_gpus}", _ROOM, f"--metrics-export-port={free_port()}",
                    f"--dashboard-agent-listen-port={free_port()}", *_PORTS,
                ],
                f"node-{free_port()}.log",
            )  # fmt: skip

        process = run(head, "head.log")
        wait_for_port(process, dashboard, Path(folder, "head.log"))
        jobs = inherited | token | {"RAY_ADDRESS": address} | dict(further or {})
        yield RayNodes(jobs, f"http://127.0.0.1:{dashboard}", add)


def _autoscaling(address: str) -> dict[str, Any]:
    module = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
    commands = [
        f"{which}{kind}commands"
        for which in ("", "head_", "worker_")
        for kind in ("setup_", "start_ray_")
    ]
    return {
        "cluster_name": "one-machine",
        "max_workers": 1,
        "idle_timeout_minutes": 5,
        "provider": {
            "type": "external",
            "module": module,
            "gcs_address": address,
            "launch_multiple": True,
            "head_node_id": _HEAD_ID,
        },
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
            "gpu": {
                "resources": {"CPU": 2, "GPU": 1, "object_store_memory": 150 * 2**20},
                "node_config": {},
                "min_workers": 0,
                "max_workers": 1,
            },
        },
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
        "initialization_commands": [],
        **{name: [] for name in commands if name != "start_ray_commands"},
    }
