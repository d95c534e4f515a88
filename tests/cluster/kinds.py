"""Shapes of the kinds that KubeRay's CRDs do not tell of: Kubernetes's own, kustomize's, a patch.

Plain facts as JSON Schema, and only of what we use. Where the CRDs have the same shape inside (a
label selector, the rules of a network policy), it is theirs, under `$defs`.
"""

from __future__ import annotations

from typing import Any

from tests.cluster.kuberay.reduce import Schema

_NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"}
_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING, "minItems": 1}
_TEXTS = {"type": "object", "additionalProperties": _STRING}
LABELS = {
    "type": "object",
    "additionalProperties": {
        "type": "string",
        "pattern": r"^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$",
    },
    "propertyNames": {"pattern": r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$"},
}


def strict_object(required: tuple[str, ...] = (), **properties: Any) -> Schema:
    """A map of these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _refer(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_RULE = strict_object(
    ("apiGroups", "resources", "verbs"), apiGroups=_STRINGS, resources=_STRINGS, verbs=_STRINGS
)
_REFERENCE = strict_object(
    ("kind", "name"), apiGroup=_STRING, kind=_STRING, name=_NAME, namespace=_NAME
)
_NUMBER_OR_SHARE = {"type": ["integer", "string"], "pattern": r"^\d+%$"}
_POLICY = strict_object(
    ("podSelector", "policyTypes"),
    podSelector=_refer("labelSelector"),
    policyTypes={"type": "array", "items": {"enum": ["Ingress", "Egress"]}, "minItems": 1},
    ingress=_refer("ingressRules"),
    egress=_refer("egressRules"),
)
_BUDGET = strict_object(
    ("selector",),
    minAvailable=_NUMBER_OR_SHARE,
    maxUnavailable=_NUMBER_OR_SHARE,
    selector=_refer("labelSelector"),
)

_SELECT = strict_object(("kind", "name"), kind=_STRING, name=_NAME)
_TARGET = strict_object(
    ("select", "fieldPaths"),
    select=_SELECT,
    fieldPaths=_STRINGS,
    options=strict_object(create={"type": "boolean"}),
)
_SOURCE = strict_object(("kind", "name", "fieldPath"), kind=_STRING, name=_NAME, fieldPath=_STRING)
# Of kustomize only what our own renderer knows.
KUSTOMIZATION_FIELDS = {
    "namespace": _NAME,
    "resources": _STRINGS,
    "components": _STRINGS,
    "images": {
        "type": "array",
        "items": strict_object(
            ("name",), name=_STRING, newName=_STRING, newTag=_STRING, digest=_STRING
        )
        | {"oneOf": [{"required": ["newTag"]}, {"required": ["digest"]}]},
    },
    "patches": {
        "type": "array",
        "items": strict_object(("target", "patch"), target=_SELECT, patch=_STRING),
    },
    "replacements": {
        "type": "array",
        "items": strict_object(
            ("source", "targets"), source=_SOURCE, targets={"type": "array", "items": _TARGET}
        ),
    },
}
PATCH: Schema = {
    "type": "array",
    "minItems": 1,
    "items": strict_object(
        ("op", "path"), op={"enum": ["add", "replace", "remove"]}, path=_STRING, value={}
    ),
}

KINDS: dict[str, tuple[str, Schema]] = {
    "Namespace": ("v1", {}),
    "ServiceAccount": ("v1", {"automountServiceAccountToken": {"type": "boolean"}}),
    "ConfigMap": ("v1", {"data": _TEXTS}),
    "Role": ("rbac.authorization.k8s.io/v1", {"rules": {"type": "array", "items": _RULE}}),
    "RoleBinding": (
        "rbac.authorization.k8s.io/v1",
        {
            "roleRef": _REFERENCE | {"required": ["apiGroup", "kind", "name"]},
            "subjects": {"type": "array", "items": _REFERENCE},
        },
    ),
    "NetworkPolicy": ("networking.k8s.io/v1", {"spec": _POLICY}),
    "PodDisruptionBudget": ("policy/v1", {"spec": _BUDGET}),
    "RayCluster": ("ray.io/v1", {"spec": {}}),
    "RayJob": ("ray.io/v1", {"spec": {}}),
    "RayCronJob": ("ray.io/v1", {"spec": {}}),
    "Kustomization": ("kustomize.config.k8s.io/v1beta1", KUSTOMIZATION_FIELDS),
    "Component": ("kustomize.config.k8s.io/v1alpha1", KUSTOMIZATION_FIELDS),
}
"""A kind's version, and what it has beside apiVersion, kind and metadata (of KubeRay's: CRDs)."""
MAY_BE_ABSENT = {"automountServiceAccountToken", *KUSTOMIZATION_FIELDS}
"""Of these fields; all others are required."""
METADATA = strict_object(("name",), name=_NAME, namespace=_NAME, labels=LABELS, annotations=_TEXTS)
