"""What every pod of ours has to be: locked down, bounded, made of what is there.

The namespace enforces Kubernetes's `restricted` profile; these rules say the same before anything
is applied, and go further: no writable root, no token of the Kubernetes API but the autoscaler's, a
bound on all memory and disk.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.cluster.manifests import Document
from tests.cluster.quantities import parse_quantity
from tests.cluster.shapes import find_misfits
from tests.cluster.workloads import Pod, find_pods

_POD = {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 100, "fsGroup": 100}
_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}
_NEVER = ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")
_VOLUMES = {"emptyDir", "projected"}
_PART_OF = ("app.kubernetes.io/part-of", "ufd-ray")
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HEALTH = {
    "head": {"path": "/api/gcs_healthz", "port": 8265},
    "worker": {"path": "/api/local_raylet_healthz", "port": 52365},
}
"""What Ray's head and its other nodes answer when they are well."""
_TOKEN_VOLUME = {
    "name": "kubernetes-api",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
            {
                "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
            {
                "downwardAPI": {
                    "items": [
                        {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
                    ]
                }
            },
        ]
    },
}
"""As the kubelet would mount it; clients look for these three names."""
_ONLY = [{"name": "HOME", "value": "/tmp"}]
_KUBERAYS = ("command", "args", "lifecycle")
_SUBMITTER = ("app.kubernetes.io/component", "submitter")


def find_pod_faults(documents: list[Document]) -> Iterator[str]:
    """A line for everything that is wrong with a pod template."""
    pods = find_pods(documents)
    images = {container.get("image") for pod in pods for container in pod.containers}
    if len(images) != 1:
        yield f"more than one image: {', '.join(map(str, sorted(images, key=str)))}"
    accounts = _names(documents, "ServiceAccount")
    configs = _names(documents, "ConfigMap")
    for pod in pods:
        if _PART_OF not in pod.labels.items():
            yield f"{pod.where}: not labelled as {'='.join(_PART_OF)}"
        yield from (
            f"{pod.where}: {fault}"
            for fault in (
                *_locks(pod),
                *_references(pod, accounts, configs),
                *_bounds(pod),
                *_probes(pod),
            )
        )


def _locks(pod: Pod) -> Iterator[str]:
    context = pod.spec.get("securityContext", {})
    for key, wanted in _POD.items():
        if context.get(key) != wanted:
            yield f"securityContext.{key} is {context.get(key)!r}, not {wanted!r}"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "securityContext.seccompProfile is not RuntimeDefault"
    for key in _NEVER:
        if key in pod.spec:
            yield f"{key} opens the node to the pod"
    for key in ("initContainers", "ephemeralContainers"):
        if key in pod.spec:
            yield f"{key}: containers that nothing here has looked at"
    if not pod.runs_ray and _SUBMITTER not in pod.labels.items():
        yield f"not labelled as {'='.join(_SUBMITTER)}, so no policy lets it reach the head"
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken is not false"
    for container in pod.containers:
        given = container.get("securityContext", {})
        for key, value in _CONTAINER.items():
            if given.get(key) != value:
                yield f"{container['name']}: {key} is {given.get(key)!r}, not {value!r}"
        if extra := given.keys() - _CONTAINER.keys():
            yield f"{container['name']}: {', '.join(sorted(extra))} in its securityContext"
        mounts = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
        if _TOKEN in mounts and container["name"] != "autoscaler":
            yield f"{container['name']}: has the token of the Kubernetes API"
        if container["name"] == "autoscaler" and _TOKEN not in mounts:
            yield "autoscaler: without a token it cannot resize the cluster"


def _references(pod: Pod, accounts: set[str], configs: set[str]) -> Iterator[str]:
    if (account := pod.spec.get("serviceAccountName")) not in accounts:
        yield f"there is no service account {account!r}"
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
    mounted = set()
    for container in pod.containers:
        paths = []
        for mount in container.get("volumeMounts", []):
            mounted.add(mount["name"])
            paths.append(mount["mountPath"])
            if mount["name"] not in volumes:
                yield f"{container['name']}: there is no volume {mount['name']!r}"
        if "/tmp" not in paths:
            yield f"{container['name']}: nowhere to write: no volume at /tmp"
        if pod.runs_ray and container is pod.containers[0] and "/dev/shm" not in paths:
            yield f"{container['name']}: no volume at /dev/shm for the object store"
        if container.get("env") != _ONLY:
            yield f"{container['name']}: its own variables are not {_ONLY}; others are in the map"
        for key in _KUBERAYS:
            if key in container:
                yield f"{container['name']}: {key} is KubeRay's to say"
        taken = [one.get("configMapRef", {}).get("name") for one in container.get("envFrom", [])]
        if len(taken) != 1 or taken[0] not in configs:
            yield f"{container['name']}: environment from {taken}, not from one of {configs}"
    for name, volume in volumes.items():
        kinds = volume.keys() - {"name"}
        if len(kinds) != 1 or not kinds <= _VOLUMES:
            yield f"volume {name}: {sorted(kinds)} is not one of {sorted(_VOLUMES)}"
        if "projected" in volume:
            yield from (f"volume {name}: {fault}" for fault in find_misfits(_TOKEN_VOLUME, volume))
        if "emptyDir" in kinds and "sizeLimit" not in volume["emptyDir"]:
            yield f"volume {name}: may fill the node's disk: no sizeLimit"
        if name not in mounted:
            yield f"volume {name}: nothing mounts it"


def _bounds(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        resources = container.get("resources", {})
        asked, most = resources.get("requests", {}), resources.get("limits", {})
        if missing := {"cpu", "memory"} - asked.keys() | asked.keys() ^ most.keys():
            yield f"{container['name']}: requests and limits do not both name {sorted(missing)}"
            continue
        for name in asked:
            if parse_quantity(asked[name]) > parse_quantity(most[name]):
                yield f"{container['name']}: asks for more {name} than its limit"
            if name in ("memory", "nvidia.com/gpu") and asked[name] != most[name]:
                yield f"{container['name']}: {name} is promised twice: request and limit differ"


def _probes(pod: Pod) -> Iterator[str]:
    if not pod.runs_ray:
        return
    container, expected = pod.containers[0], _HEALTH[pod.labels["ray.io/node-type"]]
    for name in _PROBES:
        if container.get(name, {}).get("httpGet") != expected:
            yield f"{container['name']}: {name} does not ask {expected} by HTTP"


def _names(documents: list[Document], kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in documents if one["kind"] == kind}
