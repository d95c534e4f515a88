"""The file for `ray up`, and what is caught when it is spoilt."""

from __future__ import annotations

import pytest

from tests.cluster.ray_up import FILE, check_ray_up_file, find_faults


@pytest.fixture(scope="module")
def text() -> str:
    return FILE.read_text(encoding="utf-8")


def test_the_file_can_be_used() -> None:
    assert check_ray_up_file() == []


TWINS = {
    "misspelt at the top": ("idle_timeout_minutes:", "idle_timeout_minute:", "is missing"),
    "unknown at the top": ("cluster_name:", "colour: red\ncluster_name:", "'colour'"),
    "misspelt in a node type": ("    min_workers: 0", "    minimum_workers: 0", "minimum_workers"),
    "misspelt for EC2": ("InstanceType: g6", "InstanceKind: g6", '"InstanceKind"'),
    "misspelt deep in EC2's": ("HttpTokens:", "HttpToken:", '"HttpToken"'),
    "a number of workers in words": ("max_workers: 20", "max_workers: many", "'many'"),
    "a size in words": ("VolumeSize: 200", "VolumeSize: large", "VolumeSize"),
    "half a GPU": ("GPU: 1}", "GPU: 0.5}", "0.5"),
    "no machine of EC2's": ("m7i.4xlarge", "m7i.4xlargo", "'m7i.4xlargo' is none that EC2 knows"),
    "no market of EC2's": ("MarketType: spot", "MarketType: spots", "'spots' is none"),
    "without a provider": ("  type: aws\n", "", "KeyError: 'type'"),
    "without a head": ("head_node_type: head\n", "", "head_node_type is missing"),
    "another head": ("head_node_type: head\n", "head_node_type: main\n", "head_node_type"),
    "without resources": ("    resources: {CPU: 8, GPU: 1}\n", "", "'resources' is a required"),
    "without subnets": ("      SubnetIds: *subnets\n", "", "SubnetIds: expected a list"),
    "Ray's own set-up": ("head_setup_commands: []\n", "", "head_setup_commands is missing"),
    "counts that Ray gives": (
        "InstanceType: g6",
        "MinCount: 1\n      InstanceType: g6",
        "MinCount",
    ),
    "work on the head": ("{CPU: 0, GPU: 0}", "{CPU: 8, GPU: 0}", "head.resources"),
    "more GPUs than there are": ("GPU: 1}", "GPU: 4}", "gpu.resources"),
    "workers that always run": (
        "    min_workers: 0",
        "    min_workers: 1",
        "min_workers: has to be",
    ),
    "more at once than there may be": ("    min_workers: 0", "    min_workers: 99", "max_workers"),
    "a dear worker": ("      InstanceMarketOptions: *spot\n", "", "workers are spot"),
    "IMDSv1": ("HttpTokens: required", "HttpTokens: optional", "IMDSv2"),
    "a long way to the role": ("HopLimit: 1", "HopLimit: 2", "hop limit"),
    "Ray's own role": ("      IamInstanceProfile: *worker\n", "", "IamInstanceProfile"),
    "open to everybody": ("      SecurityGroupIds: *groups\n", "", "port 22"),
    "an old image": ("      ImageId: *ami\n", "", "ImageId"),
    "a disk in the clear": ("Encrypted: true", "Encrypted: false", "encrypted"),
    "a job port for all": ("dashboard-host=127.0.0.1", "dashboard-host=0.0.0.0", "job port"),
    "an image that moves": ("ray:2.60.0-py311", "ray:latest", "is no version"),
    "jobs without a token": ("    - --env=RAY_AUTH_MODE=token", "    - --init", "RAY_AUTH_MODE"),
    "an installation at the start": (
        "worker_setup_commands: []",
        "worker_setup_commands: [pip install x]",
        "installs",
    ),
    "disks that stay": (
        "cache_stopped_nodes: false",
        "cache_stopped_nodes: true",
        "keep their disks",
    ),
    "public addresses": ("use_internal_ips: true", "use_internal_ips: false", "from outside"),
}
"""What is replaced at its first place, by what, and what is said of it."""


@pytest.mark.parametrize("name", TWINS)
def test_a_spoilt_file_is_refused(text: str, name: str) -> None:
    old, new, said = TWINS[name]
    assert old in text
    found = find_faults(text.replace(old, new, 1))
    assert any(said in line for line in found), found


def test_something_that_is_no_mapping_is_refused() -> None:
    assert find_faults("- a\n- b\n") == ["the file is no mapping"]
