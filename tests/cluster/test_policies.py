"""The roles' policies, and what is caught when one is spoilt (on a real server: tests/s3)."""

from __future__ import annotations

import json

import pytest

from tests.cluster.policies import check_policies, find_faults, load


def test_the_policies_can_be_used() -> None:
    assert check_policies() == []


TWINS = {
    "misspelt key": ("reader", '"Resource"', '"Resources"', "Resource, Resources: misspelt"),
    "no effect": ("reader", '      "Effect": "Allow",\n', "", "Effect: misspelt, or missing"),
    "misspelt effect": ("reader", '"Allow"', '"Alow"', "Effect is 'Alow'"),
    "misspelt action": ("reader", "s3:GetObject", "s3:GetObjects", "no such right"),
    "every action": ("writer", "s3:PutObject", "s3:*", "more than one"),
    "an action of a pattern": ("writer", "s3:PutObject", "s3:Put*", "more than one"),
    "every resource": ("writer", "arn:aws:s3:::scores/*", "*", "no ARN"),
    "another bucket": ("writer", "arn:aws:s3:::scores/*", "arn:aws:s3:::others/*", "none of the"),
    "lists of objects": ("writer", 'aws:s3:::scores"', 'aws:s3:::scores/*"', "other kind"),
    "objects of lists": ("writer", "arn:aws:s3:::scores/*", "arn:aws:s3:::scores", "other kind"),
    "misspelt operator": ("reader", '"Bool"', '"Boolean"', "no operator Boolean"),
    "misspelt condition": ("reader", "aws:SecureTransport", "aws:SecureTransports", "no key"),
    "an old version": ("reader", "2012-10-17", "2008-10-17", "expected Version"),
    "a number for a text": ("reader", '"s3:ListBucket"', "1", "a list of texts"),
    "a name twice": ("reader", "ReadImagesAndModels", "ListImagesAndModels", "twice"),
}  # fmt: skip
"""Which policy, what is replaced at its first place, by what, and what is said of it."""


@pytest.mark.parametrize("name", TWINS)
def test_a_spoilt_policy_is_refused(name: str) -> None:
    role, old, new, said = TWINS[name]
    text = json.dumps(load(role), indent=2)
    assert old in text
    found = find_faults(text.replace(old, new, 1))
    assert any(said in line for line in found), found


def allowed(role: str) -> set[str]:
    """Every right of a role."""
    statements = load(role)["Statement"]
    return {one for s in statements if s["Effect"] == "Allow" for one in s["Action"]}


def test_who_may_what() -> None:
    assert allowed("reader") == {"s3:ListBucket", "s3:GetObject", "kms:Decrypt"}
    writes = {"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "kms:GenerateDataKey"}
    assert allowed("writer") == allowed("reader") | writes
    assert allowed("scheduler") == {"eks:DescribeCluster"}
    assert not [right for right in allowed("autoscaler") if right.startswith(("s3:", "kms:"))]


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_nothing_goes_over_the_wire_in_the_clear(role: str) -> None:
    statement = next(s for s in load(role)["Statement"] if s["Effect"] == "Deny")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    mentioned = {r for s in load(role)["Statement"] for r in s["Resource"] if ":s3:" in r}
    assert set(statement["Resource"]) == mentioned
