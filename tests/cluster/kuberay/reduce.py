"""KubeRay's CRDs → `crds.json` beside this file: python -m tests.cluster.kuberay.reduce FOLDER.

What a manifest is checked against is facts alone: names of fields, types, bounds, patterns, what is
required. Descriptions stay out, status as well (nobody writes it), and a schema that occurs in many
places (a pod's has eight) is written once, under `$defs`. The result is plain JSON Schema, stricter
than the CRDs: a field that they do not know is refused rather than dropped in silence.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]

KINDS = ("RayCluster", "RayJob", "RayCronJob")
VERSION = "v1"
CRDS = Path(__file__).with_name("crds.json")

_TAKEN_AS_THEY_ARE = (
    *("type", "enum", "pattern", "format", "minimum", "maximum"),
    *("minLength", "maxLength", "minItems", "maxItems"),
)
_BOUNDS = {"int32": 2**31, "int64": 2**63}
_WORTH_A_NAME = 60
"""Characters of JSON from which on a repeated schema is written once."""


def reduce_crds(folder: Path) -> Schema:
    """The schemas of `KINDS` from a folder of CRDs, as one JSON Schema with `$defs`.

    Raises:
        LookupError: a kind is not in the folder, or not in the version that we write.
    """
    schemas = {}
    for path in sorted(folder.glob("*.yaml")):
        crd = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["spec"]
        kind = crd["names"]["kind"]
        for version in crd["versions"]:
            if kind in KINDS and version["name"] == VERSION:
                schemas[kind] = _reduce(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    if missing := [kind for kind in KINDS if kind not in schemas]:
        raise LookupError(f"{folder}: no CRD of version {VERSION} for {', '.join(missing)}")
    return _write_once(schemas)


def _reduce(schema: Schema) -> Schema:
    if schema.get("x-kubernetes-int-or-string"):
        # A pattern speaks of the string only: JSON Schema skips it for the number.
        return {"type": ["integer", "string"]} | _take(schema, "pattern")
    reduced = _take(schema, *_TAKEN_AS_THEY_ARE)
    if bound := _BOUNDS.get(reduced.pop("format", "")):
        reduced = {"minimum": -bound, "maximum": bound - 1} | reduced
    if schema.get("nullable"):
        reduced["type"] = [schema["type"], "null"]
    if "items" in schema:
        reduced["items"] = _reduce(schema["items"])
    if keys := schema.get("x-kubernetes-list-map-keys"):
        reduced["x-unique-by"] = keys
    if properties := schema.get("properties"):
        reduced["properties"] = {name: _reduce(one) for name, one in properties.items()}
        # The API server fills in defaults before it asks what is required.
        required = [
            name for name in schema.get("required", []) if "default" not in properties[name]
        ]
        if required:
            reduced["required"] = required
    if isinstance(schema.get("additionalProperties"), dict):
        reduced["additionalProperties"] = _reduce(schema["additionalProperties"])
    elif properties:
        reduced["additionalProperties"] = False
    return reduced


def _take(schema: Schema, *keys: str) -> Schema:
    return {key: schema[key] for key in keys if key in schema}


def _write_once(schemas: dict[str, Schema]) -> Schema:
    """Replace what occurs more than once by a reference; names say where it was met first."""
    times = Counter[str]()
    for schema in schemas.values():
        _count(schema, times)
    names: dict[str, str] = {}
    defs: dict[str, Schema] = {}

    def refer(schema: Any, met_at: str) -> Any:
        text = _text(schema)
        has_parts = schema.keys() & {"properties", "items", "additionalProperties"}
        if has_parts and times[text] > 1 and len(text) >= _WORTH_A_NAME:
            if text not in names:
                name = names[text] = _free(met_at, defs)
                defs[name] = {}  # keeps the name while its parts are named
                defs[name] = inside(schema, met_at)
            return {"$ref": f"#/$defs/{names[text]}"}
        return inside(schema, met_at)

    def inside(schema: Schema, met_at: str) -> Schema:
        out = dict(schema)
        if "properties" in schema:
            out["properties"] = {
                name: refer(one, name) for name, one in schema["properties"].items()
            }
        if "items" in schema:
            out["items"] = refer(schema["items"], met_at + "Item")
        if isinstance(schema.get("additionalProperties"), dict):
            out["additionalProperties"] = refer(schema["additionalProperties"], met_at + "Value")
        return out

    kinds = {kind: refer(schema, kind) for kind, schema in schemas.items()}
    return {"$defs": defs, "kinds": kinds}


def _count(schema: Schema, times: Counter[str]) -> None:
    times[_text(schema)] += 1
    if times[_text(schema)] > 1:
        return  # its parts are written once, with it
    for one in schema.get("properties", {}).values():
        _count(one, times)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _count(schema[key], times)


def _free(name: str, taken: dict[str, Schema]) -> str:
    number = 1
    while (free := name if number == 1 else f"{name}{number}") in taken:
        number += 1
    return free


def _text(schema: Schema) -> str:
    return json.dumps(schema, sort_keys=True)


if __name__ == "__main__":
    reduced = reduce_crds(Path(sys.argv[1]))
    CRDS.write_text(json.dumps(reduced, indent=0, sort_keys=True) + "\n", encoding="utf-8")
