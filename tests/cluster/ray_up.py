"""What is wrong with a file for `ray up` on EC2, found without a cloud.

Ray's own validator looks at the top of the file and fills in from its example what is missing; what
goes to EC2 (`node_config`) it does not look into. So that is held against botocore's model of the
request, and the rules by which this project's cluster is safe and starts from zero are our own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import yaml
from botocore.model import ListShape, StringShape, StructureShape
from botocore.validate import ParamValidator
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

FILE = Path(__file__).parents[2] / "cluster" / "ray-up-aws.yaml"
SIZES = {"m7i.2xlarge": (8, 0), "m7i.4xlarge": (16, 0), "g6.2xlarge": (8, 1)}
"""CPUs and GPUs of the machines that the file names."""

_OWN_OF_RAY = {"SubnetIds"}  # Ray chooses one of them
_STATED = {
    *("cluster_name", "max_workers", "idle_timeout_minutes", "docker", "provider", "auth"),
    *("head_node_type", "available_node_types", "initialization_commands", "setup_commands"),
    *("head_setup_commands", "worker_setup_commands"),
    *("head_start_ray_commands", "worker_start_ray_commands"),
}
"""What Ray would take from its own example otherwise."""
_INSTALLS = re.compile(r"\b(pip|pip3|conda|uv|apt|apt-get|curl|wget)\b")


def check_ray_up_file() -> list[str]:
    """Everything that is wrong with the file, a line each."""
    return [f"{FILE.name}: {fault}" for fault in find_faults(FILE.read_text(encoding="utf-8"))]


def find_faults(text: str) -> list[str]:
    """Everything that is wrong with such a file: with its form, then with what it asks for."""
    config = yaml.safe_load(text)
    if not isinstance(config, dict):
        return ["the file is no mapping"]
    missing = [f"{name} is missing: Ray would take its example's" for name in _STATED - set(config)]
    if missing:
        return sorted(missing)
    try:
        validate_config(prepare_config(copy.deepcopy(config)))
    except ValidationError as error:
        return [f"{'.'.join(map(str, error.absolute_path)) or 'the file'}: {error.message}"]
    except Exception as error:  # noqa: BLE001 (its validator raises whatever it stumbles over)
        return [f"Ray refuses it: {type(error).__name__}: {error}"]
    found = [*_cluster(config)]
    for name, node_type in config["available_node_types"].items():
        is_head = name == config["head_node_type"]
        node_config = node_type["node_config"]
        told = [*_request(node_config)] or [*_node(node_config), *_size(node_type, is_head)]
        if not is_head:
            told += _from_zero(node_type)
        found += [f"available_node_types.{name}.{line}" for line in told]
    return found


def _cluster(config: dict[str, Any]) -> Iterator[str]:
    for name, commands in config.items():
        for command in commands if name.endswith("_commands") else []:
            if _INSTALLS.search(command):
                yield f"{name}: {command!r} installs something while a node starts"
    head = " ".join(config["head_start_ray_commands"])
    if "--dashboard-host=127.0.0.1" not in head:
        yield "head_start_ray_commands: the job port has to listen on 127.0.0.1 alone"
    if "--autoscaling-config=" not in head:
        yield "head_start_ray_commands: without --autoscaling-config no worker ever starts"
    if not re.fullmatch(r"\S+(:[\w.-]*\d[\w.-]*|@sha256:[0-9a-f]{64})", config["docker"]["image"]):
        yield f"docker.image: {config['docker']['image']} is no version"
    for option in ("--env=RAY_AUTH_MODE=token", "--env=RAY_USAGE_STATS_ENABLED=0"):
        if option not in config["docker"].get("run_options", []):
            yield f"docker.run_options: {option} is missing"
    if config["provider"].get("cache_stopped_nodes") is not False:
        yield "provider.cache_stopped_nodes: has to be false, or ended nodes keep their disks"
    if config["provider"].get("use_internal_ips") is not True:
        yield "provider.use_internal_ips: has to be true, or nodes are reached from outside"


def _request(node_config: dict[str, Any]) -> Iterator[str]:
    """What EC2 would refuse of it."""
    if not isinstance(node_config.get("SubnetIds"), list):
        yield "node_config.SubnetIds: expected a list"
    request = {name: value for name, value in node_config.items() if name not in _OWN_OF_RAY}
    if given := {"MinCount", "MaxCount"} & set(request):
        yield f"node_config.{min(given)}: Ray gives it"
        return
    request |= {"MinCount": 1, "MaxCount": 1}
    shape = _run_instances()
    report = ParamValidator().validate(request, shape).generate_report()
    for line in report.splitlines():
        yield f"node_config: {line}"
    if not report:
        yield from (f"node_config{line}" for line in _unknown_words(request, shape))


@cache
def _run_instances() -> Any:
    model = botocore.session.Session().get_service_model("ec2")
    return model.operation_model("RunInstances").input_shape


def _unknown_words(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Values that are none of those that a field can have: botocore itself does not look."""
    match shape:
        case StructureShape():
            for name, member in value.items():
                yield from _unknown_words(member, shape.members[name], f"{path}.{name}")
        case ListShape():
            for number, member in enumerate(value):
                yield from _unknown_words(member, shape.member, f"{path}[{number}]")
        case StringShape() if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none that EC2 knows"


def _node(node_config: dict[str, Any]) -> Iterator[str]:
    metadata = node_config.get("MetadataOptions", {})
    if metadata.get("HttpTokens") != "required" or metadata.get("HttpPutResponseHopLimit") != 1:
        yield "node_config.MetadataOptions: IMDSv2 has to be required, with a hop limit of 1"
    if "Arn" not in node_config.get("IamInstanceProfile", {}):
        yield "node_config.IamInstanceProfile: Ray would make a role that may do anything on S3"
    if not node_config.get("SecurityGroupIds"):
        yield "node_config.SecurityGroupIds: Ray would make a group that opens port 22 to everybody"
    if not re.fullmatch(r"ami-[0-9a-f]{17}", node_config.get("ImageId", "")):
        yield "node_config.ImageId: Ray would take an image of years ago"
    disks = node_config.get("BlockDeviceMappings", [])
    if not disks or not all(disk.get("Ebs", {}).get("Encrypted") for disk in disks):
        yield "node_config.BlockDeviceMappings: every disk has to be encrypted"


def _size(node_type: dict[str, Any], is_head: bool) -> Iterator[str]:
    machine, resources = node_type["node_config"]["InstanceType"], node_type["resources"]
    if machine not in SIZES:
        yield f"node_config.InstanceType: {machine} is not in the check's table of sizes"
        return
    num_cpus, num_gpus = SIZES[machine]
    expected = {"CPU": 0 if is_head else num_cpus, "GPU": num_gpus}
    if resources != expected:
        yield f"resources: {resources}; expected {expected} on {machine}"


def _from_zero(node_type: dict[str, Any]) -> Iterator[str]:
    if node_type.get("min_workers") != 0 or not node_type.get("max_workers"):
        yield "min_workers: has to be 0, and max_workers more"
    if node_type["node_config"].get("InstanceMarketOptions", {}).get("MarketType") != "spot":
        yield "node_config.InstanceMarketOptions: workers are spot"
