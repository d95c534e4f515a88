"""Broken twins of cluster/kubernetes: each key misspelt, of another type, or left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.kubernetes_files import FOLDER, find_file_faults, find_joint_faults
from tests.cluster.manifests import copy_of, parse_documents, read_files

FILES = read_files(FOLDER)

# Maps whose keys are anybody's own, so that no misspelling can be told from a choice.
FREE = {"annotations", "labels", "matchLabels", "nodeSelector", "data", "value"}
# Left out, these fall back to what we wrote, or to what is as good; all others are missed.
MAY_BE_ABSENT = {
    *("imagePullPolicy", "idleTimeoutSeconds", "upscalingMode", "enableServiceLinks"),
    *("terminationGracePeriodSeconds", "serviceType", "replicas", "suspend", "options", "create"),
    *("periodSeconds", "timeoutSeconds", "failureThreshold", "affinity", "readOnly", "weight"),
    *("submitterConfig", "tolerations", "protocol", "expirationSeconds", "items", "annotations"),
    *("matchLabelKeys", "labelSelector", "ephemeral-storage", "newName"),
    *("namespace", "ports", "watch", "warn"),
}

Path_ = tuple[Any, ...]


def places(node: Any, at: Path_ = ()) -> Iterator[Path_]:
    """The path of every key and every item of a document."""
    if isinstance(node, dict):
        for key, one in node.items():
            yield (*at, key)
            if key not in FREE:
                yield from places(one, (*at, key))
    elif isinstance(node, list):
        for number, one in enumerate(node):
            yield from places(one, (*at, number))


def parent_of(node: Any, path: Path_) -> Any:
    for step in path[:-1]:
        node = node[step]
    return node


def find_faults(name: str, documents: list[Any]) -> Iterator[str]:
    """What is wrong with our files where `name` holds these documents."""
    yield from find_file_faults(name, documents)
    yield from find_joint_faults(FILES | {name: documents})


def is_caught(name: str, documents: list[Any]) -> bool:
    return next(find_faults(name, documents), None) is not None


def misspell(document: Any, path: Path_) -> bool:
    parent = parent_of(document, path)
    if not isinstance(parent, dict):
        return False
    parent[f"{path[-1]}x"] = parent.pop(path[-1])
    return True


def retype(document: Any, path: Path_) -> bool:
    """A list where a scalar is wanted, a map where a list is, a word where a map is."""
    parent = parent_of(document, path)
    old = parent[path[-1]]
    if isinstance(old, dict):
        parent[path[-1]] = "a word"
    elif isinstance(old, list):
        parent[path[-1]] = {"a": "map"}
    elif isinstance(old, int):  # true and false, too
        parent[path[-1]] = "many"
    else:
        parent[path[-1]] = ["a", "list"]
    return True


def leave_out(document: Any, path: Path_) -> bool:
    parent = parent_of(document, path)
    if not isinstance(parent, dict) or path[-1] in MAY_BE_ABSENT:
        return False
    del parent[path[-1]]
    return True


BREAKING = (misspell, retype, leave_out)


def broken_twins(documents: list[Any], breaking: Any) -> Iterator[tuple[Path_, list[Any]]]:
    """The documents, each time with one thing in them broken."""
    for path in places(documents):
        twin = copy_of(documents)
        if len(path) > 1 and breaking(twin, path):
            yield path, twin


@pytest.mark.parametrize("breaking", BREAKING)
@pytest.mark.parametrize("name", FILES)
def test_every_broken_twin_is_caught(name: str, breaking: Any) -> None:
    twins = list(broken_twins(FILES[name], breaking))
    assert twins
    assert [path for path, twin in twins if not is_caught(name, twin)] == []


@pytest.mark.parametrize("breaking", BREAKING)
def test_every_broken_patch_is_caught(breaking: Any) -> None:
    name = "aws/shared/kustomization.yaml"
    missed = []
    for number, patch in enumerate(FILES[name][0]["patches"]):
        (operations,) = parse_documents(patch["patch"])
        for path, broken in broken_twins(operations, breaking):
            twin = copy_of(FILES[name])
            twin[0]["patches"][number]["patch"] = yaml.safe_dump(broken)
            if path[-1] != "value" and not is_caught(name, twin):
                missed.append((number, path))
    assert missed == []
