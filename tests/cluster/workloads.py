"""What of the rendered documents becomes pods: clusters, their groups, the submitters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.cluster.manifests import Document

_INSIDE = {
    "RayCluster": ("spec",),
    "RayJob": ("spec", "rayClusterSpec"),
    "RayCronJob": ("spec", "jobTemplate", "rayClusterSpec"),
}
# What KubeRay writes on every pod of a cluster.
_KUBERAYS_LABELS = {"ray.io/is-ray-node": "yes"}

# What the rules take for granted, beside what KubeRay requires.
_OF_A_CLUSTER = ("autoscalerOptions", "headGroupSpec", "workerGroupSpecs")
_OF_A_JOB = ("entrypoint", "rayClusterSpec", "submitterPodTemplate")


@dataclass(frozen=True)
class Pod:
    """One pod template.

    Attributes:
        where: its place, for messages.
        spec: the pod's spec; containers that KubeRay adds from elsewhere are in it.
        labels: those of the template, and KubeRay's.
        runs_ray: whether the first container is started as a Ray node.
    """

    where: str
    spec: Document
    labels: dict[str, str]
    runs_ray: bool

    @property
    def containers(self) -> list[Document]:
        containers: list[Document] = self.spec["containers"]
        return containers


def find_gaps(documents: list[Document]) -> Iterator[str]:
    """A line for every part of a cluster or a job without which nothing else can be asked of it."""
    for one in documents:
        if one["kind"] in _INSIDE:
            spec, name = one["spec"], _name(one)
            if one["kind"] == "RayCronJob":
                spec = spec["jobTemplate"]
            if one["kind"] != "RayCluster":
                yield from (f"{name}: no {key}" for key in _OF_A_JOB if key not in spec)
                spec = spec.get("rayClusterSpec", {})
            yield from (f"{name}: no {key}" for key in _OF_A_CLUSTER if key not in spec)
            for group in [spec.get("headGroupSpec", {}), *spec.get("workerGroupSpecs", [])]:
                if not group.get("template", {}).get("spec", {}).get("containers"):
                    yield f"{name}: {group.get('groupName', 'the head')} has no containers"


def find_clusters(documents: list[Document]) -> dict[str, Document]:
    """Kind and name of what holds it → the spec of a RayCluster."""
    return {
        _name(one): _walk(one, _INSIDE[one["kind"]]) for one in documents if one["kind"] in _INSIDE
    }


def find_jobs(documents: list[Document]) -> dict[str, Document]:
    """Kind and name of what holds it → the spec of a RayJob."""
    return {
        _name(one): _walk(one, _INSIDE[one["kind"]][:-1])
        for one in documents
        if one["kind"] in ("RayJob", "RayCronJob")
    }


def find_pods(documents: list[Document]) -> list[Pod]:
    """Every pod template: heads with the autoscaler's container, workers, submitters."""
    pods = []
    for where, cluster in find_clusters(documents).items():
        head = cluster["headGroupSpec"]["template"]
        pods.append(_pod(f"{where}, head", head, "head", [_autoscaler(cluster, head)]))
        for group in cluster["workerGroupSpecs"]:
            place = f"{where}, group {group['groupName']}"
            pods.append(_pod(place, group["template"], "worker", []))
    for where, job in find_jobs(documents).items():
        template = job["submitterPodTemplate"]
        labels = template.get("metadata", {}).get("labels", {})
        pods.append(Pod(f"{where}, submitter", template["spec"], labels, runs_ray=False))
    return pods


def _pod(where: str, template: Document, node_type: str, added: list[Document]) -> Pod:
    spec = template["spec"] | {"containers": template["spec"]["containers"] + added}
    own = template.get("metadata", {}).get("labels", {})
    return Pod(where, spec, own | _KUBERAYS_LABELS | {"ray.io/node-type": node_type}, runs_ray=True)


def _autoscaler(cluster: Document, head: Document) -> Document:
    """The container that KubeRay adds to the head: its image, and what `autoscalerOptions` says."""
    keys = ("securityContext", "resources", "env", "envFrom", "volumeMounts", "imagePullPolicy")
    options = cluster["autoscalerOptions"]
    image = options.get("image", head["spec"]["containers"][0]["image"])
    return {"name": "autoscaler", "image": image} | {k: options[k] for k in keys if k in options}


def _name(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def _walk(node: Any, path: tuple[str, ...]) -> Document:
    for step in path:
        node = node[step]
    spec: Document = node
    return spec
