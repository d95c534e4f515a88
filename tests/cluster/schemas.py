"""One document against what Kubernetes and KubeRay know of its kind: no field that they do not.

KubeRay's kinds are checked against its CRDs, reduced to facts (`kuberay/reduce.py`), and made
stricter by what only the API server says; the few others that we use stand in `kinds.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from tests.cluster.kinds import (
    KINDS,
    KUSTOMIZATION_FIELDS,
    LABELS,
    MAY_BE_ABSENT,
    METADATA,
    PATCH,
    strict_object,
)
from tests.cluster.kuberay.reduce import CRDS, Schema

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
    if not isinstance(kind, str) or kind not in KINDS:
        return [f"kind: {kind!r} is none of {', '.join(KINDS)}"]
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
    crds["$defs"] |= {"labels": LABELS}
    for schema in (*crds["$defs"].values(), *crds["kinds"].values()):
        _sharpen(schema)
    return crds


def _sharpen(schema: Any) -> None:
    """Add to the CRDs' facts what only the API server or KubeRay says: words, bounds, labels."""
    for name, one in schema.get("properties", {}).items():
        if name == "labels" and "items" not in one:
            schema["properties"][name] = LABELS
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
    version, properties = KINDS[kind]
    crds = _crds()
    if kind in crds["kinds"]:
        properties = {"spec": crds["kinds"][kind]}
    required = [name for name in properties if name not in MAY_BE_ABSENT]
    head: Schema = {"apiVersion": {"const": version}, "kind": {"const": kind}}
    if properties is not KUSTOMIZATION_FIELDS:
        head["metadata"] = METADATA
    schema = strict_object((*head, *required), **head, **deepcopy(properties)) | {
        "$defs": crds["$defs"]
    }
    strict = validators.extend(Draft202012Validator, {"x-unique-by": _unique_by})
    return strict(schema)


def _unique_by(_: Any, keys: list[str], items: Any, __: Schema) -> Iterator[ValidationError]:
    seen = set()
    for item in items if isinstance(items, list) else []:
        identity = tuple(str(item.get(key)) for key in keys if isinstance(item, dict))
        if identity in seen:
            yield ValidationError(f"{' '.join(identity)} is there twice")
        seen.add(identity)
