"""What is wrong with the IAM policies, found without a cloud.

Each is held against the table of what its role may do, word for word: a right more, a condition
less or a wider resource is a fault. IAM takes a misspelt action for one that nobody has, so every
action has to be one that botocore knows.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

from tests.cluster.shapes import find_misfits

FOLDER = Path(__file__).parents[2] / "cluster" / "policies"
BUCKETS = ("crawl", "models", "scores")

_SERVICES = ("s3", "kms", "ec2", "eks", "iam")
# Rights whose name is no call's: of lists, and a role that is handed on.
_OTHERWISE_NAMED = {"s3:ListBucket", "iam:PassRole"}


def _allow(name: str, actions: str, resources: list[str], **condition: Any) -> dict[str, Any]:
    said = {"Sid": name, "Effect": "Allow", "Action": actions.split(), "Resource": resources}
    return {**said, "Condition": condition} if condition else said


def _deny(name: str, resources: list[str], **condition: Any) -> dict[str, Any]:
    return {**_allow(name, "s3:*", resources, **condition), "Effect": "Deny"}


def _lists(*buckets: str) -> list[str]:
    return [f"arn:aws:s3:::{bucket}" for bucket in buckets]


def _objects(*buckets: str) -> list[str]:
    return [f"arn:aws:s3:::{bucket}/*" for bucket in buckets]


def _all_of(*buckets: str) -> list[str]:
    return [one for bucket in buckets for one in _lists(bucket) + _objects(bucket)]


def _ec2(*kinds: str) -> list[str]:
    return [f"arn:aws:ec2:us-east-1:111122223333:{kind}/*" for kind in kinds]


_KEY = ["arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"]
_BY_S3 = {"kms:ViaService": "s3.*.amazonaws.com"}
_IN_THE_CLEAR = {"aws:SecureTransport": "false"}
_TAG = "ray-cluster-name"

EXPECTED = {
    "reader": [
        _allow("ListImagesAndModels", "s3:ListBucket", _lists("crawl", "models")),
        _allow("ReadImagesAndModels", "s3:GetObject", _objects("crawl", "models")),
        _allow("DecryptImagesAndModels", "kms:Decrypt", _KEY, StringLike=_BY_S3),
        _deny("NothingWithoutTls", _all_of("crawl", "models"), Bool=_IN_THE_CLEAR),
    ],
    "writer": [
        _allow("ListScores", "s3:ListBucket", _lists("scores")),
        _allow(
            "ReadAndWriteScores",
            "s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload",
            _objects("scores"),
        ),
        _allow(
            "EncryptAndDecryptScores", "kms:GenerateDataKey kms:Decrypt", _KEY, StringLike=_BY_S3
        ),
        _deny("NothingWithoutTls", _all_of("scores"), Bool=_IN_THE_CLEAR),
    ],
    "scheduler": [
        _allow(
            "FindTheCluster",
            "eks:DescribeCluster",
            ["arn:aws:eks:us-east-1:111122223333:cluster/ufd-ray"],
        ),
        _deny("NeitherImagesNorScores", _all_of(*BUCKETS)),
    ],
    "autoscaler": [
        # EC2 gives it for all resources or for none.
        _allow("SeeInstances", "ec2:DescribeInstances", ["*"]),
        _allow(
            "StartInstancesOfThisCluster",
            "ec2:RunInstances",
            _ec2("instance"),
            StringEquals={
                f"aws:RequestTag/{_TAG}": "ufd-ray",
                "ec2:MetadataHttpTokens": "required",
            },
        ),
        _allow(
            "StartThemFromThese",
            "ec2:RunInstances",
            [
                "arn:aws:ec2:us-east-1::image/*",
                *_ec2("subnet", "security-group", "key-pair", "network-interface", "volume"),
            ],
        ),
        _allow(
            "TagThemAtTheirStart",
            "ec2:CreateTags",
            _ec2("instance", "volume"),
            StringEquals={"ec2:CreateAction": "RunInstances"},
        ),
        _allow(
            "TagAndEndInstancesOfThisCluster",
            "ec2:CreateTags ec2:TerminateInstances",
            _ec2("instance"),
            StringEquals={f"aws:ResourceTag/{_TAG}": "ufd-ray"},
        ),
        _allow(
            "GiveThemTheWorkersRole",
            "iam:PassRole",
            ["arn:aws:iam::111122223333:role/ufd-ray-worker"],
            StringEquals={"iam:PassedToService": "ec2.amazonaws.com"},
        ),
    ],
}
"""The statements of each role's policy."""
ROLES = tuple(EXPECTED)


def check_policies() -> list[str]:
    """Everything that is wrong with the files, a line each."""
    names = {path.name for path in FOLDER.iterdir()}
    found = [
        f"policies: {name} is none of the roles'" for name in names ^ {f"{r}.json" for r in ROLES}
    ]
    for role in ROLES:
        text = (FOLDER / f"{role}.json").read_text(encoding="utf-8")
        found += [f"policies/{role}.json: {fault}" for fault in find_faults(role, text)]
    return sorted(found)


def find_faults(role: str, text: str) -> list[str]:
    """Everything that is wrong with `text` as the policy of the role."""
    try:
        policy = json.loads(text, object_pairs_hook=_each_once)
    except ValueError as error:
        return [str(error)]
    return list(find_misfits({"Version": "2012-10-17", "Statement": EXPECTED[role]}, policy))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))}: stands twice in one map")
    return dict(pairs)


@cache
def known_actions() -> frozenset[str]:
    """Every right on one call of the services that the policies speak of."""
    session = botocore.session.Session()
    calls = (
        f"{service}:{call}"
        for service in _SERVICES
        for call in session.get_service_model(service).operation_names
    )
    return frozenset(calls) | _OTHERWISE_NAMED


def load(role: str) -> dict[str, Any]:
    """The policy of a role."""
    parsed: dict[str, Any] = json.loads((FOLDER / f"{role}.json").read_text(encoding="utf-8"))
    return parsed
