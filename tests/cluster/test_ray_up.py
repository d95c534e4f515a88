"""The file for `ray up`, and what is caught when it is spoilt."""

from __future__ import annotations

import click
import pytest

from tests.cluster.manifests import parse_documents
from tests.cluster.ray_up import (
    FILE,
    check_ray_up_file,
    faults_for_ec2,
    faults_for_ray,
    find_config_faults,
    find_faults,
    read_ray_start,
)
from tests.cluster.spoiling import spoilt_twins


@pytest.fixture(scope="module")
def text() -> str:
    return FILE.read_text(encoding="utf-8")


def test_the_file_can_be_used() -> None:
    assert check_ray_up_file() == []


TWINS = {
    "unknown at the top": ("cluster_name:", "colour: red\ncluster_name:", "colour: is not"),
    "a key twice": ("cluster_name:", "cluster_name: other\ncluster_name:", "stands twice"),
    "a key twice in a node type": ("    min_workers: 0", "    min_workers: 0\n" * 2, "twice"),
    "half a GPU": ("GPU: 1}", "GPU: 0.5}", "gpu.resources.GPU"),
    "no machine of EC2's": ("m7i.4xlarge", "m7i.4xlargo", "'m7i.4xlargo'"),
    "no market of EC2's": ("MarketType: spot", "MarketType: spots", "'spots'"),
    "machines wanted for good": ("one-time", "persistent", "'persistent'"),
    "machines put to sleep": ("Behavior: terminate", "Behavior: stop", "'stop'"),
    "another head": ("head_node_type: head\n", "head_node_type: gpu\n", "head_node_type"),
    "counts that Ray gives": ("InstanceType: g6", "MinCount: 1\n      InstanceType: g6", "MinC"),
    "work on the head": ("{CPU: 0, GPU: 0}", "{CPU: 8, GPU: 0}", "head.resources"),
    "more GPUs than there are": ("GPU: 1}", "GPU: 4}", "gpu.resources"),
    "workers that always run": ("    min_workers: 0", "    min_workers: 1", "min_workers"),
    "a pool of none": ("    max_workers: 8", "    max_workers: 0", "gpu.max_workers"),
    "another name of a pool": ("  decode:", "  decoding:", "decode: is missing"),
    "IMDSv1": ("HttpTokens: required", "HttpTokens: optional", "HttpTokens"),
    "a long way to the role": ("HopLimit: 1", "HopLimit: 2", "HopLimit"),
    "the head's role for workers": ("profile/ufd-ray-worker", "profile/ufd-ray-head", "Arn"),
    "an image of somebody's": ("ami-00000000000000000", "ami-latest", "ImageId"),
    "a disk in the clear": ("Encrypted: true", "Encrypted: false", "Encrypted"),
    "an image that moves": ("ray:2.60.0-py311", "ray:latest", "docker.image"),
    "another Ray": ("ray:2.60.0-py311", "ray:2.59.0-py311", "docker.image"),
    "another Python": ("ray:2.60.0-py311", "ray:2.60.0-py312", "docker.image"),
    "jobs without a token": ("    - --env=RAY_AUTH_MODE=token", "    - --init", "run_options[1]"),
    "a container that owns the machine": (
        "    - --env=RAY_AUTH",
        "    - --privileged\n    - --env=RAY_AUTH",
        "expected 3 items",
    ),
    "the token switched off again": (
        "    - --env=RAY_USAGE",
        "    - --env=RAY_AUTH_MODE=disabled\n    - --env=RAY_USAGE",
        "expected 3 items",
    ),
    "another token": ("auth_token: ~/.ray/auth_token", "auth_token: ~/x", "file_mounts"),
    "no region of EC2's": ("region: us-east-1", "region: everywhere", "provider.region"),
    "an installation at the start": (
        "worker_setup_commands: []",
        "worker_setup_commands: [pip install x]",
        "worker_setup_commands",
    ),
    "disks that stay": ("cache_stopped_nodes: false", "cache_stopped_nodes: true", "cache_stopped"),
    "public addresses": ("use_internal_ips: true", "use_internal_ips: false", "use_internal_ips"),
    "a job port for all": ("dashboard-host=127.0.0.1", "dashboard-host=0.0.0.0", "dashboard_host"),
    "a job port for all at last": (
        "    --autoscaling-config",
        "    --dashboard-host=0.0.0.0 --autoscaling-config",
        "dashboard_host",
    ),
    "a head without a job port given": (" --dashboard-host=127.0.0.1", "", "dashboard_host"),
    "a head that starts no worker": (
        "    --autoscaling-config=~/ray_bootstrap_config.yaml\n",
        "",
        "autoscaling_config: is missing",
    ),
    "a misspelt flag": ("ray start --address", "ray start --adress", "No such option"),
    "a port in words": ("--port=6379", "--port=many", "--port"),
    "another command": ("ray start --head", "ray begin --head", "expected `ray start`"),
    "a second command": ("/ray_bootstrap_config.yaml\n", "/r.yaml && echo\n", "unexpected extra"),
    "a quote that does not end": ("ray start --address", "ray start ' --address", "quotation"),
    "a number of workers in words": ("max_workers: 20 ", "max_workers: many ", "'many'"),
}  # fmt: skip
"""What is replaced at its first place, by what, and what is said of it."""


@pytest.mark.parametrize("name", TWINS)
def test_a_spoilt_file_is_refused(text: str, name: str) -> None:
    old, new, said = TWINS[name]
    assert old in text
    found = find_faults(text.replace(old, new, 1))
    assert any(said in line for line in found), found


def test_whatever_is_misspelt_or_left_out_or_of_another_type_is_found(text: str) -> None:
    (config,) = parse_documents(text)
    assert find_config_faults(config) == []
    twins = list(spoilt_twins(config))
    assert len(twins) > 500
    assert not [what for what, twin in twins if not find_config_faults(twin)]


def test_what_ray_would_refuse_is_found(text: str) -> None:
    (config,) = parse_documents(text)
    assert list(faults_for_ray(config)) == []
    for name, value, said in (
        ("colour", "red", "'colour' was unexpected"),
        ("max_workers", "many", "max_workers: 'many' is not of type"),
        ("head_node_type", "main", "Ray refuses it: ValueError: `head_node_type`"),
        ("provider", {}, "Ray refuses it: KeyError: 'type'"),
    ):
        assert any(said in line for line in faults_for_ray({**config, name: value})), name


def test_what_ec2_would_refuse_is_found(text: str) -> None:
    (config,) = parse_documents(text)
    machine = config["available_node_types"]["gpu"]["node_config"]
    assert faults_for_ec2(machine) == []
    for name, value, said in (
        ("InstanceKind", "g6.2xlarge", '"InstanceKind"'),
        ("InstanceType", "g6.2xlargo", "'g6.2xlargo' is none that EC2 knows"),
        ("MetadataOptions", {"HttpToken": "required"}, '"HttpToken"'),
        ("InstanceMarketOptions", {"MarketType": "spots"}, "'spots' is none that EC2 knows"),
        ("BlockDeviceMappings", [{"Ebs": {"VolumeSize": "large"}}], "VolumeSize"),
    ):
        assert any(said in line for line in faults_for_ec2({**machine, name: value})), name


def test_a_start_is_read_as_ray_reads_it() -> None:
    assert read_ray_start("ray start --head --port 1") == {"head": True, "port": 1}
    with pytest.raises(click.ClickException, match="No such option"):
        read_ray_start("ray start --heads")


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "a: 1\n---\nb: 2\n"])
def test_something_that_is_no_mapping_is_refused(text: str) -> None:
    assert find_faults(text) == ["the file is no mapping"]
