"""`kubectl kustomize` for what our files use of it, and for nothing else.

It stands in where there is no kubectl (a test compares the two where there is one). It is
stricter: a patch, an image or a replacement that meets nothing is an error here, and in kubectl
silence.
"""

from __future__ import annotations

from posixpath import dirname, join, normpath
from typing import Any

import jsonpatch

from tests.cluster.manifests import Document, Files, copy_of, parse_documents

KUSTOMIZATION = "kustomization.yaml"
_LOCAL = "config.kubernetes.io/local-config"


class CannotRenderError(Exception):
    """A kustomization asks for what is not there, or what it says takes no effect."""


def render(files: Files, folder: str) -> list[Document]:
    """What `kubectl apply -k folder` would send, in the order of the files.

    Raises:
        CannotRenderError: see there.
    """
    return _run(files, folder, [])


def reached_files(files: Files, folder: str) -> set[str]:
    """The files that go into `folder`'s rendering, its kustomization among them."""
    name = join(folder, KUSTOMIZATION)
    reached = {name}
    for key in ("resources", "components"):
        for entry in files[name][0].get(key, []):
            path = normpath(join(folder, entry))
            reached |= {path} if path in files else reached_files(files, path)
    return reached


def _run(files: Files, folder: str, inherited: list[Document]) -> list[Document]:
    name = join(folder, KUSTOMIZATION)
    if name not in files:
        raise CannotRenderError(f"{name}: there is no such file")
    (kustomization,) = files[name]
    resources = list(inherited)
    for entry in kustomization.get("resources", []):
        path = normpath(join(folder, entry))
        resources += copy_of(files[path]) if path in files else _run(files, path, [])
    for entry in kustomization.get("components", []):
        resources = _run(files, normpath(join(folder, entry)), resources)
    try:
        for patch in kustomization.get("patches", []):
            resources = _patch(resources, patch)
        _set_namespace(resources, kustomization.get("namespace"))
        for image in kustomization.get("images", []):
            _set_image(resources, image)
        for replacement in kustomization.get("replacements", []):
            _replace(resources, replacement)
    except CannotRenderError as error:
        raise CannotRenderError(f"{name}: {error}") from error
    kept = [one for one in resources if _annotations(one).get(_LOCAL) != "true"]
    _refuse_doubles(kept, dirname(name))
    return kept


def _patch(resources: list[Document], patch: Document) -> list[Document]:
    targets = _select(resources, patch["target"])
    (operations,) = parse_documents(patch["patch"])
    try:
        return [
            jsonpatch.apply_patch(one, operations, in_place=True) if one in targets else one
            for one in resources
        ]
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
        raise CannotRenderError(f"the patch of {patch['target']} does not fit: {error}") from error


def _set_namespace(resources: list[Document], namespace: str | None) -> None:
    for one in resources:
        if namespace and one["kind"] != "Namespace":
            one["metadata"]["namespace"] = namespace


def _set_image(resources: list[Document], image: Document) -> None:
    met = False
    for container in _containers(resources):
        if str(container.get("image")).partition("@")[0].partition(":")[0] == image["name"]:
            met = True
            end = f"@{image['digest']}" if "digest" in image else f":{image['newTag']}"
            container["image"] = (image.get("newName") or image["name"]) + end
    if not met:
        raise CannotRenderError(f"no container has the image {image['name']!r}")


def _containers(node: Any) -> list[Document]:
    found = []
    if isinstance(node, list):
        for one in node:
            found += _containers(one)
    elif isinstance(node, dict):
        for key, one in node.items():
            if key in ("containers", "initContainers") and isinstance(one, list):
                found += one
            else:
                found += _containers(one)
    return found


def _replace(resources: list[Document], replacement: Document) -> None:
    source = dict(replacement["source"])
    path = source.pop("fieldPath")
    (origin,) = _select(resources, source)
    for target in replacement["targets"]:
        create = target.get("options", {}).get("create", False)
        for one in _select(resources, target["select"]):
            for field in target["fieldPaths"]:
                *parents, last = field.split(".")
                parent = _at(one, parents)
                if not create and last not in parent:
                    raise CannotRenderError(f"{field}: {one['kind']} has no such field to replace")
                parent[last] = copy_of(_at(origin, path.split(".")))


def _at(node: Any, path: list[str]) -> Any:
    for step in path:
        try:
            node = node[int(step)] if isinstance(node, list) else node[step]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise CannotRenderError(f"{'.'.join(path)}: there is no {step!r}") from error
    return node


def _select(resources: list[Document], wanted: Document) -> list[Document]:
    met = [
        one
        for one in resources
        if one["kind"] == wanted["kind"] and one["metadata"]["name"] == wanted["name"]
    ]
    if not met:
        raise CannotRenderError(f"there is no {wanted['kind']} {wanted['name']!r}")
    return met


def _annotations(resource: Document) -> Document:
    annotations: Document = resource["metadata"].get("annotations", {})
    return annotations


def _refuse_doubles(resources: list[Document], folder: str) -> None:
    seen = set()
    for one in resources:
        identity = (one["kind"], one["metadata"]["name"])
        if identity in seen:
            raise CannotRenderError(f"{folder}: {' '.join(identity)} is there twice")
        seen.add(identity)
