"""CRDs become plain JSON Schema that is strict and says everything once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.cluster.kuberay.reduce import CRDS, KINDS, reduce_crds

POD = {
    "description": "Left out.",
    "type": "object",
    "required": ["name", "protocol"],
    "properties": {
        "name": {"type": "string", "description": "Left out as well."},
        "protocol": {"type": "string", "default": "TCP"},
        "size": {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": "^[0-9]+Gi$",
            "x-kubernetes-int-or-string": True,
        },
        "replicas": {"type": "integer", "format": "int32"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
SPEC = {"type": "object", "properties": {"head": POD, "workers": {"type": "array", "items": POD}}}


def write_crds(folder: Path, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        schema = {"type": "object", "properties": {"spec": SPEC, "status": {"type": "object"}}}
        versions = [
            {"name": "v1", "schema": {"openAPIV3Schema": schema}},
            {"name": "v1alpha1", "schema": {"openAPIV3Schema": {}}},
        ]
        crd = {"spec": {"names": {"kind": kind}, "versions": versions}}
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(crd), encoding="utf-8")


@pytest.fixture
def reduced(tmp_path: Path) -> dict[str, Any]:
    write_crds(tmp_path, (*KINDS, "RayService"))
    return reduce_crds(tmp_path)


def is_valid(reduced: dict[str, Any], spec: Any) -> bool:
    schema = reduced["kinds"]["RayCluster"] | {"$defs": reduced["$defs"]}
    return Draft202012Validator(schema).is_valid(spec)


def test_says_everything_once(reduced: dict[str, Any]) -> None:
    text = json.dumps(reduced)
    assert text.count('"replicas"') == 1
    assert "Left out" not in text
    assert set(reduced["kinds"]) == set(KINDS)


@pytest.mark.parametrize(
    "pod",
    [
        {"name": "a"},
        {"name": "a", "protocol": "UDP", "size": "3Gi"},
        {"name": "a", "size": 3, "replicas": 2**31 - 1, "labels": {"any": "thing"}},
    ],
)
def test_takes_what_the_server_would(reduced: dict[str, Any], pod: Any) -> None:
    assert is_valid(reduced, {"head": pod, "workers": [pod]})


@pytest.mark.parametrize(
    "pod",
    [
        {},
        {"name": "a", "nam": "b"},
        {"name": 1},
        {"name": "a", "size": "3G"},
        {"name": "a", "size": True},
        {"name": "a", "replicas": 2**31},
        {"name": "a", "labels": {"any": 1}},
    ],
)
def test_refuses_what_the_server_would_not_keep(reduced: dict[str, Any], pod: Any) -> None:
    assert not is_valid(reduced, {"head": pod})
    assert not is_valid(reduced, {"workers": [pod]})


def test_missing_kind_is_named(tmp_path: Path) -> None:
    write_crds(tmp_path, ("RayCluster", "RayCronJob"))
    with pytest.raises(LookupError, match="version v1 for RayJob"):
        reduce_crds(tmp_path)


def test_kept_schemas_are_sound() -> None:
    kept = json.loads(CRDS.read_text(encoding="utf-8"))
    assert set(kept["kinds"]) == set(KINDS)
    for schema in kept["kinds"].values():
        Draft202012Validator.check_schema(schema | {"$defs": kept["$defs"]})
