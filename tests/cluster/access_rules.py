"""Who may do what, and who talks to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.access_tables import EXPECTED
from tests.cluster.manifests import Document
from tests.cluster.shapes import find_misfits
from tests.cluster.workloads import find_pods
from ufd_ray import __version__

ROOT = Path(__file__).parents[2]
_NODE_CREDENTIALS = ip_address("169.254.169.254")
_ROLE = re.compile(r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")
_OPERATOR = {"app.kubernetes.io/component": "kuberay-operator"}
_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RAY_AUTH_TOKEN")


def find_access_faults(documents: list[Document]) -> Iterator[str]:
    """A line for everything that opens more than it should, or names what is not there."""
    yield from _namespaces(documents)
    yield from _environment(documents)
    yield from _roles(documents)
    yield from _policies(documents)
    yield from _budgets(documents)
    yield from _tables(documents)
    yield from _cloud(documents)


def _namespaces(documents: list[Document]) -> Iterator[str]:
    names = [one["metadata"]["name"] for one in documents if one["kind"] == "Namespace"]
    for one in documents:
        if one["kind"] == "Namespace":
            labels = one["metadata"].get("labels", {})
            if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
                yield f"Namespace {one['metadata']['name']}: restricted pods are not enforced"
        elif one["metadata"].get("namespace") not in names:
            yield f"{one['kind']} {one['metadata']['name']}: in no namespace of ours"


def _environment(documents: list[Document]) -> Iterator[str]:
    runtime_env = yaml.safe_load((ROOT / "runtime_env.yaml").read_text(encoding="utf-8"))
    wanted = runtime_env["env_vars"] | {"RAY_USAGE_STATS_ENABLED": "0"}
    for one in documents:
        if one["kind"] == "ConfigMap":
            for name, value in wanted.items():
                if one["data"].get(name) != value:
                    yield f"ConfigMap {one['metadata']['name']}: {name} is not {value!r}"
            for name in one["data"]:
                if name in _SECRETS:
                    yield f"ConfigMap {one['metadata']['name']}: {name} is a secret"


def _roles(documents: list[Document]) -> Iterator[str]:
    there = {(one["kind"], one["metadata"]["name"]) for one in documents}
    for one in documents:
        name = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] == "RoleBinding":
            for other in [one["roleRef"], *one["subjects"]]:
                if (other["kind"], other["name"]) not in there:
                    yield f"{name}: there is no {other['kind']} {other['name']}"
                if other.get("namespace") not in (None, one["metadata"].get("namespace")):
                    yield f"{name}: {other['name']} is of another namespace"
        if one["kind"] == "Role":
            for rule in one["rules"]:
                granted = {*rule.get("apiGroups", []), *rule.get("resources", []), *rule["verbs"]}
                if "*" in granted or "secrets" in granted:
                    yield f"{name}: grants everything, or secrets"
        if one["kind"] == "ServiceAccount" and one.get("automountServiceAccountToken") is not False:
            yield f"{name}: its token would be mounted everywhere"


def _policies(documents: list[Document]) -> Iterator[str]:
    policies = {
        one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "NetworkPolicy"
    }
    nothing = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if nothing not in policies.values():
        yield "no NetworkPolicy that refuses everything by default"
    labels = [pod.labels for pod in find_pods(documents)]
    for name, spec in policies.items():
        if spec == nothing:
            continue
        for way, rules in (("Ingress", spec.get("ingress")), ("Egress", spec.get("egress"))):
            if (rules is not None) != (way in spec["policyTypes"]):
                yield f"NetworkPolicy {name}: {way} in policyTypes, or rules for it: not both"
        if spec["podSelector"] == {} and set(_ports(spec)) != {53}:
            yield f"NetworkPolicy {name}: opens more than names to every pod"
        for selector in _pod_selectors(spec):
            wanted = selector.get("matchLabels", {})
            is_somebody = any(wanted.items() <= one.items() for one in labels)
            # With no job there is no submitter, and its rule meets nobody.
            if not (is_somebody or wanted == _OPERATOR or "submitter" in wanted.values()):
                yield f"NetworkPolicy {name}: no pod has the labels {wanted}"
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            yield from (f"NetworkPolicy {name}: {fault}" for fault in _peers(rule))


def _ports(spec: Document) -> Iterator[Any]:
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        yield from (port.get("port") for port in rule.get("ports", [{}]))


def _peers(rule: Document) -> Iterator[str]:
    peers = [*rule.get("from", []), *rule.get("to", [])]
    ports = [port.get("port") for port in rule.get("ports", [])]
    if not all(isinstance(port, int) for port in ports):
        yield f"a port that is no number: {ports}"
    if not peers:
        yield "a rule without `from` or `to` is for everybody"
    for peer in peers:
        if peer.get("namespaceSelector") == {} and not peer.get("podSelector"):
            yield "opens to every pod of every namespace"
        if peer.get("podSelector") == {}:
            yield "opens to every pod of the namespace"
        is_operator = peer.get("podSelector", {}).get("matchLabels") == _OPERATOR
        if is_operator and "namespaceSelector" not in peer:
            yield "KubeRay's operator lives in a namespace of its own"
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            holes = [ip_network(one) for one in block.get("except", [])]
            inside = _NODE_CREDENTIALS in ip_network(block["cidr"])
            if inside and not any(_NODE_CREDENTIALS in hole for hole in holes):
                yield f"reaches {_NODE_CREDENTIALS}, where a node's credentials are handed out"
            if ports != [443]:
                yield "reaches addresses outside on other ports than 443"


def _pod_selectors(node: Any) -> Iterator[Document]:
    if isinstance(node, dict):
        for key, one in node.items():
            if key == "podSelector":
                yield one
            else:
                yield from _pod_selectors(one)
    elif isinstance(node, list):
        for one in node:
            yield from _pod_selectors(one)


def _cloud(documents: list[Document]) -> Iterator[str]:
    """What the overlay of a cloud has to add; of AWS, the only one there is."""
    for one in documents:
        name = one["metadata"]["name"]
        if one["kind"] == "ServiceAccount" and name == "ufd-ray-scorer":
            role = one["metadata"].get("annotations", {}).get("eks.amazonaws.com/role-arn", "")
            if not _ROLE.match(role):
                yield f"ServiceAccount {name}: has no role of the cloud, so it may read nothing"
        if one["kind"] == "ConfigMap" and "AWS_REGION" not in one["data"]:
            yield f"ConfigMap {name}: no AWS_REGION"
    for pod in find_pods(documents):
        image = str(pod.containers[0].get("image"))
        if "/" not in image or not image.endswith(f":{__version__}"):
            yield f"{pod.where}: {image} is not a registry's image of version {__version__}"
        lasts = pod.spec.get("nodeSelector", {}).get("karpenter.sh/capacity-type")
        if pod.runs_ray and lasts != ("on-demand" if pod.where.endswith("head") else "spot"):
            yield f"{pod.where}: on a machine of the kind {lasts!r}"


def _tables(documents: list[Document]) -> Iterator[str]:
    for kind, (field, expected) in EXPECTED.items():
        found = {
            one["metadata"]["name"]: one.get(field) for one in documents if one["kind"] == kind
        }
        yield from (f"{kind} {misfit}" for misfit in find_misfits(expected, found))


def _budgets(documents: list[Document]) -> Iterator[str]:
    labels = [pod.labels for pod in find_pods(documents)]
    for one in documents:
        if one["kind"] == "PodDisruptionBudget":
            spec = one["spec"]
            wanted = spec["selector"].get("matchLabels", {})
            if not any(wanted.items() <= pod.items() for pod in labels):
                yield f"PodDisruptionBudget {one['metadata']['name']}: no pod has {wanted}"
            if spec.get("minAvailable", 0) == 0:
                yield f"PodDisruptionBudget {one['metadata']['name']}: protects nothing"
