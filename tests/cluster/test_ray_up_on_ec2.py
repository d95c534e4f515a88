"""Ray's own provider starts and ends the file's machines on a server that speaks EC2's language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from ray.autoscaler._private.aws import utils
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config
from ray.autoscaler.node_launch_exception import NodeLaunchException

from tests.cluster.policies import load
from tests.cluster.ray_up import FILE
from tests.servers.moto import start_moto

pytestmark = pytest.mark.slow

REGION = "us-east-1"
RIGHTS = [action for statement in load("autoscaler")["Statement"] for action in statement["Action"]]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An account with what the file takes for granted, as whoever runs `ray up` finds it."""
    with pytest.MonkeyPatch.context() as patch, start_moto() as moto:
        patch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", moto.key.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", moto.key.secret_key)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # for the key pair
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield moto
    _forget_clients()


@pytest.fixture(scope="module")
def config(account: Any) -> dict[str, Any]:
    """The file, with this account's names, as `ray up` hands it to the head."""
    ec2, iam = boto3.client("ec2"), boto3.client("iam")
    text = FILE.read_text(encoding="utf-8")
    for role in ("ufd-ray-head", "ufd-ray-worker"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        profile = iam.create_instance_profile(InstanceProfileName=role)["InstanceProfile"]["Arn"]
        iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
        text = text.replace(f"arn:aws:iam::111122223333:instance-profile/{role}", profile)
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.create_security_group(GroupName="ours", Description="-", VpcId=subnet["VpcId"])
    for placeholder, found in (
        ("ami-00000000000000000", ec2.describe_images()["Images"][0]["ImageId"]),
        ("subnet-00000000000000000", subnet["SubnetId"]),
        ("sg-00000000000000000", group["GroupId"]),
    ):
        text = text.replace(placeholder, found)
    before = _made_by_ray(ec2, iam)
    filled = AWSNodeProvider.bootstrap_config(prepare_config(yaml.safe_load(text)))
    assert _made_by_ray(ec2, iam) == before
    return dict(AWSNodeProvider.fillout_available_node_types_resources(filled))


def _made_by_ray(ec2: Any, iam: Any) -> tuple[set[str], set[str]]:
    """Security groups and roles: Ray would make those that a file does not name."""
    groups = {group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]}
    return groups, {role["RoleName"] for role in iam.list_roles()["Roles"]}


def _forget_clients() -> None:
    for cached in (utils.resource_cache, utils.client_cache):
        cached.cache_clear()


def _as_head(account: Any, rights: list[str], patch: pytest.MonkeyPatch) -> None:
    """Become a user with these rights: the server looks at actions, not at conditions."""
    statement = {"Effect": "Allow", "Action": rights, "Resource": "*"}
    key = account.create_user(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    patch.setenv("AWS_ACCESS_KEY_ID", key.access_key)
    patch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_key)
    patch.setattr(boto3, "DEFAULT_SESSION", None)
    _forget_clients()


def _start(config: dict[str, Any], name: str) -> AWSNodeProvider:
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    node_config = dict(config["available_node_types"][name]["node_config"])
    provider.create_node(node_config, {"ray-node-type": "worker", "ray-user-node-type": name}, 1)
    return provider


@pytest.mark.parametrize(("name", "kind"), [("gpu", "g6.2xlarge"), ("decode", "m7i.4xlarge")])
def test_the_head_starts_and_ends_workers(
    account: Any, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    _as_head(account, RIGHTS, monkeypatch)
    provider = _start(config, name)
    (started,) = provider.non_terminated_nodes({"ray-user-node-type": name})
    ec2 = boto3.client("ec2")
    (found,) = ec2.describe_instances(InstanceIds=[started])["Reservations"][0]["Instances"]
    assert (found["InstanceType"], found["InstanceLifecycle"]) == (kind, "spot")
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert found["IamInstanceProfile"]["Arn"].endswith("/ufd-ray-worker")
    assert [group["GroupName"] for group in found["SecurityGroups"]] == ["ours"]
    # What the policy's conditions go by.
    assert {"Key": "ray-cluster-name", "Value": "ufd-ray"} in found["Tags"]
    provider.set_node_tags(started, {"ray-node-status": "up-to-date"})
    provider.terminate_nodes([started])
    assert provider.non_terminated_nodes({"ray-user-node-type": name}) == []


def test_the_autoscaler_counts_on_what_the_machines_have(config: dict[str, Any]) -> None:
    types = config["available_node_types"]
    found = {name: {k: t["resources"].get(k) for k in ("CPU", "GPU")} for name, t in types.items()}
    assert found == {
        "head": {"CPU": 0, "GPU": 0},
        "gpu": {"CPU": 8, "GPU": 1},
        "decode": {"CPU": 16, "GPU": 0},
    }
    assert types["gpu"]["resources"]["accelerator_type:L4"] == 1


def test_without_a_right_no_worker_starts(
    account: Any, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_head(account, [right for right in RIGHTS if right != "ec2:RunInstances"], monkeypatch)
    with pytest.raises(NodeLaunchException, match="not authorized to perform: ec2:RunInstances"):
        _start(config, "gpu")
