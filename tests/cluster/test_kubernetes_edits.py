"""Edits of cluster/kubernetes that Kubernetes would take, and that cost a night or open a door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.kubernetes_files import FOLDER, find_file_faults, find_joint_faults
from tests.cluster.manifests import copy_of, read_files

FILES = read_files(FOLDER)
CLUSTER, NIGHTLY, ONE_RUN = (
    "base/ray-cluster.yaml",
    "nightly/ray-cron-job.yaml",
    "one-run/ray-job.yaml",
)
POLICY, RIGHTS, BUDGET = "base/network-policy.yaml", "base/scheduler.yaml", "base/disruption.yaml"
AWS = "aws/shared/kustomization.yaml"

Edit = Callable[[list[Any]], object]


def head(documents: list[Any]) -> Any:
    return documents[0]["spec"]["headGroupSpec"]["template"]["spec"]


def gpu(documents: list[Any]) -> Any:
    return documents[0]["spec"]["workerGroupSpecs"][0]["template"]["spec"]


def night(documents: list[Any]) -> Any:
    return documents[0]["spec"]["jobTemplate"]


def token(documents: list[Any]) -> Any:
    (volume,) = (one for one in head(documents)["volumes"] if "projected" in one)
    return volume["projected"]["sources"]


def policy(documents: list[Any], name: str) -> Any:
    (found,) = (one for one in documents if one["metadata"]["name"] == name)
    return found


def first_container(**fields: Any) -> Edit:
    return lambda documents: head(documents)["containers"][0].update(fields)


def variable(name: str, value: str) -> Edit:
    return lambda documents: head(documents)["containers"][0]["env"].append(
        {"name": name, "value": value}
    )


def probe(of: Callable[[list[Any]], Any], **asked: Any) -> Edit:
    return lambda documents: of(documents)["containers"][0]["livenessProbe"]["httpGet"].update(
        asked
    )


def without(name: str) -> Edit:
    return lambda documents: documents.remove(policy(documents, name))


def port(name: str, way: str, **fields: Any) -> Edit:
    return lambda documents: policy(documents, name)["spec"][way][0]["ports"][0].update(fields)


def entrypoint(old: str, new: str) -> Edit:
    def edit(documents: list[Any]) -> None:
        command = night(documents)["entrypoint"]
        night(documents)["entrypoint"] = command.replace(old, new)

    return edit


def submitter_is(label: str) -> dict[str, str]:
    return {"app.kubernetes.io/component": label}


EDITS: dict[str, tuple[str, Edit]] = {
    "a key": (CLUSTER, variable("AWS_SECRET_ACCESS_KEY", "x")),
    "no token asked for": (CLUSTER, variable("RAY_AUTH_MODE", "disabled")),
    "a root container before": (
        CLUSTER,
        lambda d: head(d).update(initContainers=[{"name": "x", "image": "y"}]),
    ),
    "another command": (CLUSTER, first_container(command=["sleep"])),
    "arguments": (CLUSTER, first_container(args=["x"])),
    "probe of the head": (CLUSTER, probe(head, path="/healthz")),
    "its port": (CLUSTER, probe(head, port=8625)),
    "probe of a worker": (CLUSTER, probe(gpu, path="/api/gcs_healthz")),
    "a worker's port": (CLUSTER, probe(gpu, port=8265)),
    "path of the token": (CLUSTER, lambda d: token(d)[0]["serviceAccountToken"].update(path="t")),
    **{
        f"part {number} of the token": (CLUSTER, lambda d, n=number: token(d).pop(n))
        for number in range(3)
    },
    "submitter that nobody knows": (
        NIGHTLY,
        lambda d: night(d)["submitterPodTemplate"]["metadata"]["labels"].update(
            submitter_is("submiter")
        ),
    ),
    "submitter of one run": (
        ONE_RUN,
        lambda d: d[0]["spec"]["submitterPodTemplate"]["metadata"]["labels"].update(
            submitter_is("submiter")
        ),
    ),
    **{
        f"without {one['metadata']['name']}": (POLICY, without(one["metadata"]["name"]))
        for one in FILES[POLICY]
    },
    "job port": (POLICY, port("jobs-to-the-head", "ingress", port=8625)),
    "port to the head": (POLICY, port("submitter-to-the-head", "egress", port=8625)),
    "ports up to": (POLICY, port("ray-to-storage", "egress", endPort=65535)),
    "name servers of nobody": (
        POLICY,
        lambda d: policy(d, "names")["spec"]["egress"][0]["to"][0]["namespaceSelector"].update(
            matchLabels={"kubernetes.io/metadata.name": "kube-sytem"}
        ),
    ),
    "into pods": (RIGHTS, lambda d: d[1]["rules"][1]["resources"].append("pods/exec")),
    "right to nothing": (RIGHTS, lambda d: d[1]["rules"][0].update(resources=["rayjob"])),
    "of no group": (RIGHTS, lambda d: d[1]["rules"][0].update(apiGroups=["ray.oi"])),
    "dry run": (NIGHTLY, entrypoint("--incremental", "--incremental --dry-run")),
    "a few": (NIGHTLY, entrypoint("--incremental", "--incremental --limit 10")),
    "into the crawl": (NIGHTLY, entrypoint("--output s3://scores", "--output s3://crawl/scores")),
    "into the models": (NIGHTLY, entrypoint("--output s3://scores", "--output s3://models/x")),
    "misspelt bucket": (NIGHTLY, entrypoint("--output s3://scores", "--output s3://score")),
    "run id and more": (NIGHTLY, entrypoint("$(date -u +%F)", "$(date -u +%F)-b")),
    "date of the node": (NIGHTLY, entrypoint("date -u", "date")),
    "no nights": (NIGHTLY, lambda d: d[0]["spec"].update(suspend=True)),
    "nights that wait": (NIGHTLY, lambda d: night(d).update(suspend=True)),
    "a run that waits": (ONE_RUN, lambda d: d[0]["spec"].update(suspend=True)),
    "whatever is latest": (AWS, lambda d: d[0]["images"][0].update(newTag="latest")),
    **{
        f"budget of {least}": (BUDGET, lambda d, n=least: d[0]["spec"].update(minAvailable=n))
        for least in (0, 2, "0%")
    },
    "budget of workers": (
        BUDGET,
        lambda d: d[0]["spec"]["selector"]["matchLabels"].update({"ray.io/node-type": "worker"}),
    ),
}


@pytest.mark.parametrize(("name", "edit"), EDITS.values(), ids=EDITS)
def test_edit_is_caught(name: str, edit: Edit) -> None:
    twin = copy_of(FILES[name])
    edit(twin)
    assert twin != FILES[name]
    assert [*find_file_faults(name, twin)] or [*find_joint_faults(FILES | {name: twin})]
