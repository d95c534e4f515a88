"""Who may talk to whom and do what, word for word: a rule that is lost opens or breaks it.

A policy that meets nobody is no error to Kubernetes, and neither is a right to what does not exist.
So these files are held to tables, and whoever changes one says so here as well.
"""

from __future__ import annotations

from typing import Any

_RAY = {"matchLabels": {"ray.io/is-ray-node": "yes"}}
_HEAD = {"matchLabels": {"ray.io/node-type": "head"}}
_SUBMITTER = {"matchLabels": {"app.kubernetes.io/component": "submitter"}}
_OPERATOR = {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}}
_NAME_SERVERS = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}


def _tcp(port: int) -> dict[str, Any]:
    return {"port": port, "protocol": "TCP"}


_POLICIES: dict[str, Any] = {
    "nothing-by-default": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    "ray-among-itself": {
        "podSelector": _RAY,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": _RAY}]}],
        "egress": [{"to": [{"podSelector": _RAY}]}],
    },
    "jobs-to-the-head": {
        "podSelector": _HEAD,
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {"podSelector": _SUBMITTER},
                    {"podSelector": _OPERATOR, "namespaceSelector": {}},
                ],
                "ports": [_tcp(8265)],
            }
        ],
    },
    "submitter-to-the-head": {
        "podSelector": _SUBMITTER,
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": _HEAD}], "ports": [_tcp(8265)]}],
    },
    "names": {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"namespaceSelector": _NAME_SERVERS}],
                "ports": [{"port": 53, "protocol": "UDP"}, _tcp(53)],
            }
        ],
    },
    "ray-to-storage": {
        "podSelector": _RAY,
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}],
                "ports": [_tcp(443)],
            }
        ],
    },
}
_RIGHTS = [
    {
        "apiGroups": ["ray.io"],
        "resources": ["rayjobs"],
        "verbs": ["create", "get", "list", "watch", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
]

EXPECTED: dict[str, tuple[str, dict[str, Any]]] = {
    "NetworkPolicy": ("spec", _POLICIES),
    "Role": ("rules", {"ufd-ray-scheduler": _RIGHTS}),
    "PodDisruptionBudget": ("spec", {"heads": {"minAvailable": 1, "selector": _HEAD}}),
}
"""By kind: the field that says it, and what it says by name."""
