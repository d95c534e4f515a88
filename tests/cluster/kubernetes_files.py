"""All of cluster/kubernetes: each file, and what each way of running makes of them together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cluster.access_rules import find_access_faults
from tests.cluster.kustomize import KUSTOMIZATION, CannotRenderError, reached_files, render
from tests.cluster.manifests import Document, Files, UnreadableError, parse_documents, read_files
from tests.cluster.pod_rules import find_pod_faults
from tests.cluster.ray_rules import find_ray_faults
from tests.cluster.schemas import find_patch_faults, find_schema_faults
from tests.cluster.workloads import find_gaps

FOLDER = Path(__file__).parents[2] / "cluster" / "kubernetes"
WAYS = ("aws/one-run", "aws/nightly", "aws/standing")
"""The folders that are meant to be applied."""


def check_kubernetes_files() -> list[str]:
    """Everything that is wrong with cluster/kubernetes, a line each."""
    try:
        files = read_files(FOLDER)
    except UnreadableError as error:
        return [str(error)]
    each = [fault for name in files for fault in find_file_faults(name, files[name])]
    return each or list(find_joint_faults(files))


def find_file_faults(name: str, documents: list[Any]) -> Iterator[str]:
    """A line for everything that is wrong with one file by itself."""
    if not documents or (len(documents) > 1 and name.endswith(KUSTOMIZATION)):
        yield f"{name}: {len(documents)} documents"
    for document in documents:
        faults = find_schema_faults(document)
        if name.endswith(KUSTOMIZATION) and not faults:
            faults = list(_patches(document))
        yield from (f"{name}: {fault}" for fault in faults)


def find_joint_faults(files: Files) -> Iterator[str]:
    """A line for everything that is wrong with what files, each right by itself, make together."""
    used: set[str] = set()
    for way in WAYS:
        try:
            documents = render(files, way)
        except CannotRenderError as error:
            yield str(error)
            return
        used |= reached_files(files, way)
        # Each asks only where those before found nothing: it takes for granted what they look at.
        faults = [f for document in documents for f in find_schema_faults(document)]
        faults = faults or list(find_gaps(documents))
        faults = faults or [
            *find_pod_faults(documents),
            *find_ray_faults(documents),
            *find_access_faults(documents),
        ]
        yield from (f"{way}: {fault}" for fault in faults)
    yield from (f"{name}: no way of running uses it" for name in sorted(files.keys() - used))


def _patches(kustomization: Document) -> Iterator[str]:
    for patch in kustomization.get("patches", []):
        try:
            for operations in parse_documents(patch["patch"]):
                yield from (f"patch: {fault}" for fault in find_patch_faults(operations))
        except UnreadableError as error:
            yield f"patch: {error}"
