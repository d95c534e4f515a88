"""What is wrong with a file for `ray up` on EC2, found without a cloud.

The file is held against the shape of one by which this project's cluster is safe and starts from
zero: nothing in that may be left out, since Ray would fill it in from its own example, and nothing
may be there beside it. Then Ray's validator is asked, and for what goes to EC2 (`node_config`),
which it does not look into, botocore's model of the request. The commands that start Ray are read
by Ray's own parser.
"""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import botocore.session
import click
from botocore.model import ListShape, StringShape, StructureShape
from botocore.validate import ParamValidator
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.cluster.manifests import UnreadableError, parse_documents
from tests.cluster.shapes import Shape, find_misfits

FILE = Path(__file__).parents[2] / "cluster" / "ray-up-aws.yaml"

_OWN_OF_RAY = {"SubnetIds"}  # Ray chooses one of them
_SOME = range(1, 1000)


def _node_config(machine: str, role: str) -> dict[str, Shape]:
    return {
        "InstanceType": machine,
        # Without the next three Ray would take an image of years ago, make a group that opens
        # port 22 to everybody, and make a role that may do anything on S3.
        "ImageId": re.compile("ami-[0-9a-f]{17}"),
        "SecurityGroupIds": [re.compile("sg-[0-9a-f]{17}")],
        "IamInstanceProfile": {
            "Arn": re.compile(rf"arn:aws:iam::\d{{12}}:instance-profile/{role}")
        },
        "SubnetIds": [re.compile("subnet-[0-9a-f]{17}")],
        # IMDSv2, and not from a container with a network of its own.
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {
                    "VolumeSize": range(100, 16385),
                    "VolumeType": "gp3",
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
    }


def _workers(machine: str, num_cpus: int, num_gpus: int) -> dict[str, Shape]:
    # A machine that is wanted for good or only put to sleep would cost money on.
    spot = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    return {
        "min_workers": 0,
        "max_workers": _SOME,
        "resources": {"CPU": num_cpus, "GPU": num_gpus},
        "node_config": {
            **_node_config(machine, "ufd-ray-worker"),
            "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": spot},
        },
    }


SHAPE: Shape = {
    "cluster_name": "ufd-ray",  # the autoscaler's policy goes by it
    "max_workers": _SOME,
    "upscaling_speed": _SOME,
    "idle_timeout_minutes": _SOME,
    "docker": {
        "image": f"rayproject/ray:{version('ray')}-py311",
        "container_name": "ufd-ray",
        "pull_before_run": False,
        # Nothing else: an option may give a container the whole machine.
        "run_options": [
            "--ulimit=nofile=65536:65536",
            "--env=RAY_AUTH_MODE=token",
            "--env=RAY_USAGE_STATS_ENABLED=0",
        ],
    },
    "provider": {
        "type": "aws",
        "region": re.compile(r"[a-z]{2}(-[a-z]+)+-\d"),
        "use_internal_ips": True,  # or nodes are reached from outside
        "cache_stopped_nodes": False,  # or ended nodes keep their disks
    },
    "auth": {"ssh_user": "ubuntu"},
    "file_mounts": {"/home/ray/.ray/auth_token": "~/.ray/auth_token"},
    "head_node_type": "head",
    "available_node_types": {
        "head": {
            "max_workers": 0,
            "resources": {"CPU": 0, "GPU": 0},
            "node_config": _node_config("m7i.2xlarge", "ufd-ray-head"),
        },
        "gpu": _workers("g6.2xlarge", 8, 1),
        "decode": _workers("m7i.4xlarge", 16, 0),
    },
    "initialization_commands": [],
    "setup_commands": [],
    "head_setup_commands": [],
    "worker_setup_commands": [],
    "head_start_ray_commands": ["ray stop", str],
    "worker_start_ray_commands": ["ray stop", str],
}
_STARTS: dict[str, Shape] = {
    "head_start_ray_commands": {
        "head": True,
        "port": 6379,
        "object_manager_port": 8076,
        "dashboard_host": "127.0.0.1",  # the job port, for a tunnel alone
        "autoscaling_config": "~/ray_bootstrap_config.yaml",  # without it no worker ever starts
    },
    "worker_start_ray_commands": {"address": "$RAY_HEAD_IP:6379", "object_manager_port": 8076},
}
"""The options of each `ray start`."""


def check_ray_up_file() -> list[str]:
    """Everything that is wrong with the file, a line each."""
    return [f"{FILE.name}: {fault}" for fault in find_faults(FILE.read_text(encoding="utf-8"))]


def find_faults(text: str) -> list[str]:
    """Everything that is wrong with such a file: with its form, then with what it asks for."""
    try:
        documents = parse_documents(text)
    except UnreadableError as error:
        return [str(error)]
    if len(documents) != 1 or not isinstance(documents[0], dict):
        return ["the file is no mapping"]
    return find_config_faults(documents[0])


def find_config_faults(config: dict[str, Any]) -> list[str]:
    """The same of a file that has been read."""
    if misfits := list(find_misfits(SHAPE, config)):
        return misfits
    return [*faults_for_ray(config), *_starts(config), *_by_ec2(config)]


def faults_for_ray(config: dict[str, Any]) -> Iterator[str]:
    """What Ray's own validator refuses of it."""
    try:
        validate_config(prepare_config(copy.deepcopy(config)))
    except ValidationError as error:
        yield f"{'.'.join(map(str, error.absolute_path)) or 'the file'}: {error.message}"
    except Exception as error:  # noqa: BLE001 (its validator raises whatever it stumbles over)
        yield f"Ray refuses it: {type(error).__name__}: {error}"


def _starts(config: dict[str, Any]) -> Iterator[str]:
    for name, expected in _STARTS.items():
        try:
            options = read_ray_start(config[name][-1])
        except (ValueError, click.ClickException) as error:
            said = error.format_message() if isinstance(error, click.ClickException) else error
            yield f"{name}: {said}"
        else:
            yield from find_misfits(expected, options, name)


def read_ray_start(command: str) -> dict[str, Any]:
    """The options that such a command gives, as Ray reads them.

    Raises:
        ValueError: it is no `ray start`.
        click.ClickException: `ray start` has no such option, or no such value of it.
    """
    from ray.scripts.scripts import start

    words = shlex.split(command)
    if words[:2] != ["ray", "start"]:
        raise ValueError(f"expected `ray start`, got {command!r}")
    context = start.make_context("ray start", words[2:])
    given = click.core.ParameterSource.COMMANDLINE
    values = context.params.items()
    return {name: one for name, one in values if context.get_parameter_source(name) is given}


def _by_ec2(config: dict[str, Any]) -> Iterator[str]:
    for name, node_type in config["available_node_types"].items():
        for fault in faults_for_ec2(node_type["node_config"]):
            yield f"available_node_types.{name}.node_config: {fault}"


def faults_for_ec2(node_config: dict[str, Any]) -> list[str]:
    """What EC2 would refuse of a request for such a machine."""
    request = {name: value for name, value in node_config.items() if name not in _OWN_OF_RAY}
    request |= {"MinCount": 1, "MaxCount": 1}
    shape = _run_instances()
    report = ParamValidator().validate(request, shape).generate_report()
    return report.splitlines() or list(_unknown_words(request, shape))


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
