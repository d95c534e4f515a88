"""What is wrong with the IAM policies, found without a cloud.

IAM refuses a policy with an unknown key, and takes a misspelt action for one that nobody has. So
both are refused here, and whatever would allow more than the four roles need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

FOLDER = Path(__file__).parents[2] / "cluster" / "policies"
ROLES = ("reader", "writer", "scheduler", "autoscaler")
BUCKETS = ("crawl", "models", "scores")

_KEYS = {"Sid", "Effect", "Action", "Resource", "Condition"}
_ACTION = re.compile(r"[a-z0-9]+:[A-Z][A-Za-z]+")
_ARN = re.compile(r"arn:aws:[a-z0-9]+:[a-z0-9-]*:\d*:\S+")
_SERVICES = ("s3", "kms", "ec2", "eks", "iam")
# Rights whose name is no call's: of lists, parts of uploads, and a role that is handed on.
_OTHERWISE_NAMED = {"s3:ListBucket", "iam:PassRole"}
_CONDITIONS = {
    *("aws:SecureTransport", "aws:RequestTag/ray-cluster-name", "aws:ResourceTag/ray-cluster-name"),
    *("kms:ViaService", "ec2:MetadataHttpTokens", "ec2:CreateAction", "iam:PassedToService"),
}
_OPERATORS = {"Bool", "StringEquals", "StringLike"}
_ALL_OR_NONE = {"ec2:DescribeInstances"}
"""Rights that EC2 gives for all resources or for none."""


def check_policies() -> list[str]:
    """Everything that is wrong with the files, a line each."""
    names = {path.name for path in FOLDER.iterdir()}
    found = [
        f"policies: {name} is none of the roles'" for name in names ^ {f"{r}.json" for r in ROLES}
    ]
    for role in ROLES:
        text = (FOLDER / f"{role}.json").read_text(encoding="utf-8")
        found += [f"policies/{role}.json: {fault}" for fault in find_faults(text)]
    return sorted(found)


def find_faults(text: str) -> list[str]:
    """Everything that is wrong with such a policy."""
    policy = json.loads(text)
    if set(policy) != {"Version", "Statement"} or policy["Version"] != "2012-10-17":
        return ["expected Version 2012-10-17 and Statement, and nothing else"]
    if not isinstance(policy["Statement"], list) or not policy["Statement"]:
        return ["Statement has to be a list"]
    found = [f"{s.get('Sid')}: {fault}" for s in policy["Statement"] for fault in _form(s)]
    if found:
        return found
    found = [f"{s['Sid']}: {fault}" for s in policy["Statement"] for fault in _content(s)]
    names = [statement["Sid"] for statement in policy["Statement"]]
    return found + [f"{name} is there twice" for name in names if names.count(name) > 1]


def _form(statement: dict[str, Any]) -> Iterator[str]:
    if wrong := (set(statement) ^ _KEYS) - {"Condition"}:
        yield f"{', '.join(sorted(wrong))}: misspelt, or missing"
        return
    if not re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"]):
        yield "Sid has to be letters and digits"
    if statement["Effect"] not in ("Allow", "Deny"):
        yield f"Effect is {statement['Effect']!r}"
    for name in ("Action", "Resource"):
        value = statement[name]
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            yield f"{name} has to be a list of texts"
    for operator, tests in statement.get("Condition", {}).items():
        if operator not in _OPERATORS:
            yield f"Condition: no operator {operator}"
        for key in set(tests) - _CONDITIONS:
            yield f"Condition: no key {key}"


def _content(statement: dict[str, Any]) -> Iterator[str]:
    allows = statement["Effect"] == "Allow"
    for action in statement["Action"]:
        if action == "s3:*" and not allows:
            continue
        if not _ACTION.fullmatch(action) or action not in _known_actions():
            yield f"Action {action}: there is no such right, or it is more than one"
    for resource in statement["Resource"]:
        if resource == "*" and set(statement["Action"]) <= _ALL_OR_NONE:
            continue
        if not _ARN.fullmatch(resource):
            yield f"Resource {resource}: no ARN"
        elif resource.startswith("arn:aws:s3:"):
            yield from _bucket(resource, statement["Action"] if allows else [])


def _bucket(resource: str, actions: list[str]) -> Iterator[str]:
    bucket, slash, rest = resource.removeprefix("arn:aws:s3:::").partition("/")
    if bucket not in BUCKETS or (slash and rest != "*"):
        yield f"Resource {resource}: none of the buckets {', '.join(BUCKETS)}"
    for action in actions:
        if (action == "s3:ListBucket") == bool(slash):
            yield f"Resource {resource}: {action} is a right on the other kind of resource"


@cache
def _known_actions() -> frozenset[str]:
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
