"""The roles' policies, and what is caught when one is spoilt (on a real server: tests/s3)."""

from __future__ import annotations

import json

import pytest

from tests.cluster.policies import ROLES, check_policies, find_faults, known_actions, load
from tests.cluster.spoiling import spoilt_twins


def test_the_policies_can_be_used() -> None:
    assert check_policies() == []


TWINS = {
    "misspelt action": ("reader", "s3:GetObject", "s3:GetObjects"),
    "every action": ("writer", "s3:PutObject", "s3:*"),
    "an action of a pattern": ("writer", "s3:PutObject", "s3:Put*"),
    "an action more": ("reader", '"s3:GetObject"', '"s3:GetObject", "s3:PutObject"'),
    "another service's action": ("scheduler", "eks:DescribeCluster", "iam:CreateUser"),
    "every resource": ("writer", "arn:aws:s3:::scores/*", "*"),
    "another bucket": ("writer", "arn:aws:s3:::scores/*", "arn:aws:s3:::others/*"),
    "lists of objects": ("writer", 'aws:s3:::scores"', 'aws:s3:::scores/*"'),
    "every role": ("autoscaler", "role/ufd-ray-worker", "role/*"),
    "every key": ("writer", "key/11111111-2222-3333-4444-555555555555", "key/*"),
    "IMDSv1": ("autoscaler", '"required"', '"optional"'),
    "another cluster's tag": ("autoscaler", '"ufd-ray"', '"*"'),
    "a role for any service": ("autoscaler", "ec2.amazonaws.com", "*.amazonaws.com"),
    "what is in the clear alone": ("reader", '"false"', '"true"'),
    "a refusal turned round": ("scheduler", '"Deny"', '"Allow"'),
    "misspelt operator": ("reader", '"Bool"', '"Boolean"'),
    "misspelt condition": ("reader", "aws:SecureTransport", "aws:SecureTransports"),
    "an old version": ("reader", "2012-10-17", "2008-10-17"),
    "a name twice": ("reader", "ReadImagesAndModels", "ListImagesAndModels"),
}
"""Which policy, what is replaced at its first place, and by what."""


@pytest.mark.parametrize("name", TWINS)
def test_a_spoilt_policy_is_refused(name: str) -> None:
    role, old, new = TWINS[name]
    text = json.dumps(load(role), indent=2)
    assert old in text
    assert find_faults(role, text.replace(old, new, 1))


@pytest.mark.parametrize("role", ROLES)
def test_whatever_is_misspelt_or_left_out_or_of_another_type_is_found(role: str) -> None:
    twins = list(spoilt_twins(load(role)))
    assert len(twins) > 100
    assert not [what for what, twin in twins if not find_faults(role, json.dumps(twin))]


def test_a_key_that_stands_twice_is_refused() -> None:
    text = json.dumps(load("reader")).replace('"Effect"', '"Effect": "Deny", "Effect"', 1)
    assert find_faults("reader", text) == ["Effect: stands twice in one map"]


def test_what_is_no_json_is_refused() -> None:
    assert find_faults("reader", "{") != []


def test_a_fault_says_where_it_is() -> None:
    text = json.dumps(load("reader")).replace("s3:GetObject", "s3:PutObject")
    assert find_faults("reader", text) == [
        "Statement[1].Action[0]: expected 's3:GetObject', got 's3:PutObject'"
    ]


def allowed(role: str) -> set[str]:
    """Every right of a role."""
    statements = load(role)["Statement"]
    return {one for s in statements if s["Effect"] == "Allow" for one in s["Action"]}


@pytest.mark.parametrize("role", ROLES)
def test_every_right_is_one_that_there_is(role: str) -> None:
    assert allowed(role) <= known_actions()
    assert "s3:GetObjects" not in known_actions()


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_nothing_goes_over_the_wire_in_the_clear(role: str) -> None:
    statement = next(s for s in load(role)["Statement"] if s["Effect"] == "Deny")
    mentioned = {r for s in load(role)["Statement"] for r in s["Resource"] if ":s3:" in r}
    assert set(statement["Resource"]) == mentioned
