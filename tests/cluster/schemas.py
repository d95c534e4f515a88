"""One document against what Kubernetes and KubeRay know of its kind: no field that they do not.

KubeRay's kinds are checked against its CRDs, reduced to facts (`kuberay/reduce.py`). The few kinds
of Kubernetes itself that we use are written down here; where the CRDs have the same shape inside (a
label selector, the rules of a network policy), it is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from tests.cluster.kuberay.reduce import CRDS, Schema

_NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"}
_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING, "minItems": 1}
_TEXTS = {"type": "object", "additionalProperties": _STRING}
_LABELS = {
    "type": "object",
    "additionalProperties": {
        "type": "string",
        "pattern": r"^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$",
    },
    "propertyNames": {"pattern": r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$"},
}


def _object(required: tuple[str, ...] = (), **properties: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _refer(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_RULE = _object(
    ("apiGroups", "resources", "verbs"), apiGroups=_STRINGS, resources=_STRINGS, verbs=_STRINGS
)
_REFERENCE = _object(("kind", "name"), apiGroup=_STRING, kind=_STRING, name=_NAME, namespace=_NAME)
_NUMBER_OR_SHARE = {"type": ["integer", "string"], "pattern": r"^\d+%$"}
_POLICY = _object(
    ("podSelector", "policyTypes"),
    podSelector=_refer("labelSelector"),
    policyTypes={"type": "array", "items": {"enum": ["Ingress", "Egress"]}, "minItems": 1},
    ingress=_refer("ingressRules"),
    egress=_refer("egressRules"),
)
_BUDGET = _object(
    ("selector",),
    minAvailable=_NUMBER_OR_SHARE,
    maxUnavailable=_NUMBER_OR_SHARE,
    selector=_refer("labelSelector"),
)

_SELECT = _object(("kind", "name"), kind=_STRING, name=_NAME)
_TARGET = _object(
    ("select", "fieldPaths"),
    select=_SELECT,
    fieldPaths=_STRINGS,
    options=_object(create={"type": "boolean"}),
)
_SOURCE = _object(("kind", "name", "fieldPath"), kind=_STRING, name=_NAME, fieldPath=_STRING)
# Of kustomize only what our own renderer knows.
_KUSTOMIZATION = {
    "namespace": _NAME,
    "resources": _STRINGS,
    "components": _STRINGS,
    "images": {
        "type": "array",
        "items": _object(("name",), name=_STRING, newName=_STRING, newTag=_STRING, digest=_STRING)
        | {"oneOf": [{"required": ["newTag"]}, {"required": ["digest"]}]},
    },
    "patches": {
        "type": "array",
        "items": _object(("target", "patch"), target=_SELECT, patch=_STRING),
    },
    "replacements": {
        "type": "array",
        "items": _object(
            ("source", "targets"), source=_SOURCE, targets={"type": "array", "items": _TARGET}
        ),
    },
}
PATCH: Schema = {
    "type": "array",
    "minItems": 1,
    "items": _object(
        ("op", "path"), op={"enum": ["add", "replace", "remove"]}, path=_STRING, value={}
    ),
}

# A kind's version, and what it has beside apiVersion, kind and metadata.
_KINDS: dict[str, tuple[str, Schema]] = {
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
    "Kustomization": ("kustomize.config.k8s.io/v1beta1", _KUSTOMIZATION),
    "Component": ("kustomize.config.k8s.io/v1alpha1", _KUSTOMIZATION),
}
_MAY_BE_ABSENT = {"automountServiceAccountToken", *_KUSTOMIZATION}

_MEANT_WHEN_EMPTY = (".podSelector", ".namespaceSelector")
"""All pods of the namespace, all namespaces."""

# Words and bounds that the API server knows and the CRDs do not say, by the field's name.
_WORDS = {
    "imagePullPolicy": ["Always", "IfNotPresent", "Never"],
    "restartPolicy": ["Always", "OnFailure", "Never"],
    "protocol": ["TCP", "UDP", "SCTP"],
    "effect": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
    "medium": ["", "Memory"],
    "serviceType": ["ClusterIP", "NodePort", "LoadBalancer"],
    "submissionMode": ["K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"],
    "whenUnsatisfiable": ["DoNotSchedule", "ScheduleAnyway"],
}
_LEAST = {
    **dict.fromkeys(("backoffLimit", "ttlSecondsAfterFinished", "minReplicas", "replicas"), 0),
    **dict.fromkeys(("maxReplicas", "terminationGracePeriodSeconds", "runAsUser"), 0),
    **dict.fromkeys(("activeDeadlineSeconds", "periodSeconds", "timeoutSeconds"), 1),
    **dict.fromkeys(("failureThreshold", "idleTimeoutSeconds", "containerPort", "port"), 1),
    "expirationSeconds": 600,
}


def find_schema_faults(document: Any) -> list[str]:
    """What is wrong with a document of any known kind, a line each; none: [].

    A map left empty is refused as well: it means everything, or nothing, or that a line got lost.
    """
    kind = document.get("kind") if isinstance(document, dict) else type(document).__name__
    if not isinstance(kind, str) or kind not in _KINDS:
        return [f"kind: {kind!r} is none of {', '.join(_KINDS)}"]
    return [*_say(_validator(kind), document), *_empty_maps(document, "")]


def find_patch_faults(operations: Any) -> list[str]:
    """What is wrong with the operations of a patch, a line each; none: []."""
    return _say(Draft202012Validator(PATCH), operations)


def _say(validator: Any, document: Any) -> list[str]:
    return [
        f"{'.'.join(map(str, error.absolute_path)) or 'the document'}: {error.message[:200]}"
        for error in validator.iter_errors(document)
    ]


def _empty_maps(node: Any, at: str) -> Iterator[str]:
    if node == {} and not at.endswith(_MEANT_WHEN_EMPTY):
        yield f"{at.lstrip('.')}: empty"
    for key, one in node.items() if isinstance(node, dict) else ():
        yield from _empty_maps(one, f"{at}.{key}")
    for number, one in enumerate(node) if isinstance(node, list) else ():
        yield from _empty_maps(one, f"{at}.{number}")


@cache
def _crds() -> Schema:
    crds: Schema = json.loads(CRDS.read_text(encoding="utf-8"))
    crds["$defs"] |= {"labels": _LABELS}
    for schema in (*crds["$defs"].values(), *crds["kinds"].values()):
        _sharpen(schema)
    return crds


def _sharpen(schema: Any) -> None:
    """Add to the CRDs' facts what only the API server or KubeRay says: words, bounds, labels."""
    for name, one in schema.get("properties", {}).items():
        if name == "labels" and "items" not in one:
            schema["properties"][name] = _LABELS
        elif "$ref" not in one and one.get("type") == "string" and name in _WORDS:
            one["enum"] = _WORDS[name]
        elif name in _LEAST and "integer" in one.get("type", ""):
            one["minimum"] = _LEAST[name]
        _sharpen(one)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _sharpen(schema[key])


@cache
def _validator(kind: str) -> Any:
    version, properties = _KINDS[kind]
    crds = _crds()
    if kind in crds["kinds"]:
        properties = {"spec": crds["kinds"][kind]}
    required = [name for name in properties if name not in _MAY_BE_ABSENT]
    head: Schema = {"apiVersion": {"const": version}, "kind": {"const": kind}}
    if properties is not _KUSTOMIZATION:
        head["metadata"] = _object(
            ("name",), name=_NAME, namespace=_NAME, labels=_LABELS, annotations=_TEXTS
        )
    schema = _object((*head, *required), **head, **deepcopy(properties)) | {"$defs": crds["$defs"]}
    strict = validators.extend(Draft202012Validator, {"x-unique-by": _unique_by})
    return strict(schema)


def _unique_by(_: Any, keys: list[str], items: Any, __: Schema) -> Iterator[ValidationError]:
    seen = set()
    for item in items if isinstance(items, list) else []:
        identity = tuple(str(item.get(key)) for key in keys if isinstance(item, dict))
        if identity in seen:
            yield ValidationError(f"{' '.join(identity)} is there twice")
        seen.add(identity)
