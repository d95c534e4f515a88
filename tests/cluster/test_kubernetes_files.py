"""The files pass, what is broken in them is caught, our stand-in for kubectl renders as it does."""

from __future__ import annotations

import shutil
import subprocess
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.kubernetes_files import (
    FOLDER,
    WAYS,
    check_kubernetes_files,
    find_file_faults,
    find_joint_faults,
)
from tests.cluster.kustomize import CannotRenderError, render
from tests.cluster.manifests import UnreadableError, copy_of, parse_documents, read_files
from tests.cluster.schemas import find_schema_faults

FILES = read_files(FOLDER)

Path_ = tuple[Any, ...]


def test_they_pass() -> None:
    assert check_kubernetes_files() == []


CLUSTER = "base/ray-cluster.yaml"
NIGHTLY = "nightly/ray-cron-job.yaml"
ONE_RUN = "one-run/ray-job.yaml"
POLICY = "base/network-policy.yaml"
GPU = ("spec", "workerGroupSpecs", 0)
HEAD = ("spec", "headGroupSpec", "template", "spec")
NIGHT = ("spec", "jobTemplate")
CRAWL = "python /opt/ufd-ray/jobs/score.py --input s3://crawl --probe s3://models/probe"
RUN = f"{CRAWL} --output s3://scores --device cuda"

CHOSEN: list[tuple[str, str, Path_, Any, str]] = [
    ("another image", CLUSTER, (*HEAD, "containers", 0, "image"), "ufd-rays:0.1.0", "one image"),
    ("as root", CLUSTER, (*HEAD, "securityContext", "runAsUser"), 0, "runAsUser"),
    ("on the host", CLUSTER, (*HEAD, "hostNetwork"), True, "hostNetwork"),
    ("no such account", CLUSTER, (*HEAD, "serviceAccountName"), "scorer", "service account"),
    ("no such volume", CLUSTER, (*HEAD, "volumes", 0, "name"), "temp", "no volume 'tmp'"),
    (
        "no quantity",
        CLUSTER,
        (*GPU, *HEAD[2:], "containers", 0, "resources", "limits", "memory"),
        "26 Gi",
        "does not match",
    ),
    (
        "more than the limit",
        CLUSTER,
        (*GPU, *HEAD[2:], "containers", 0, "resources", "requests", "cpu"),
        "9",
        "asks for more cpu",
    ),
    (
        "no option of ray start",
        CLUSTER,
        ("spec", "headGroupSpec", "rayStartParams", "num-cpu"),
        "0",
        "no option num-cpu",
    ),
    (
        "store beyond memory",
        CLUSTER,
        (*GPU, "rayStartParams", "object-store-memory"),
        "9000000000",
        "does not fit",
    ),
    ("another Ray", CLUSTER, ("spec", "rayVersion"), "2.59.0", "rayVersion"),
    ("no token", CLUSTER, ("spec", "authOptions", "mode"), "disabled", "not token"),
    ("always one GPU", CLUSTER, (*GPU, "minReplicas"), 1, "grow from zero"),
    ("less than none", CLUSTER, (*GPU, "minReplicas"), -1, "minimum"),
    ("two of one name", CLUSTER, ("spec", "workerGroupSpecs", 1, "groupName"), "gpu", "one name"),
    ("no such word", CLUSTER, (*HEAD, "containers", 0, "imagePullPolicy"), "Sometimes", "one of"),
    (
        "two variables of one name",
        ONE_RUN,
        ("spec", "submitterPodTemplate", "spec", "containers", 0, "env"),
        [{"name": "HOME", "value": "/tmp"}, {"name": "HOME", "value": "/"}],
        "there twice",
    ),
    ("no schedule", NIGHTLY, ("spec", "schedule"), "5 24 * * *", "neither"),
    ("no zone", NIGHTLY, ("spec", "timeZone"), "UTCC", "timeZone"),
    ("a zone that is not UTC", NIGHTLY, ("spec", "timeZone"), "Europe/Berlin", "UTC"),
    ("attempts beyond midnight", NIGHTLY, (*NIGHT, "activeDeadlineSeconds"), 28800, "same UTC day"),
    ("more attempts", NIGHTLY, (*NIGHT, "backoffLimit"), 3, "same UTC day"),
    (
        "always the same run",
        NIGHTLY,
        (*NIGHT, "entrypoint"),
        f"{RUN} --incremental --keep-embeddings --run-id nightly",
        "the run id is not",
    ),
    (
        "everything every night",
        NIGHTLY,
        (*NIGHT, "entrypoint"),
        f"{RUN} --keep-embeddings --run-id $(date -u +%F)",
        "--incremental",
    ),
    ("renamed flag", ONE_RUN, ("spec", "entrypoint"), f"{RUN} --run-name x", "--run-name"),
    ("no value that it takes", ONE_RUN, ("spec", "entrypoint"), f"{RUN} --run-id a/b", "--run-id"),
    ("no run id", ONE_RUN, ("spec", "entrypoint"), RUN, "--run-id"),
    (
        "a glob of the shell",
        ONE_RUN,
        ("spec", "entrypoint"),
        f"{RUN} --run-id x --include *.jpg",
        "the shell",
    ),
    (
        "no such job",
        ONE_RUN,
        ("spec", "entrypoint"),
        f"python /opt/ufd-ray/jobs/scores.py {RUN}",
        "not the job",
    ),
    ("cluster that stays", ONE_RUN, ("spec", "shutdownAfterJobFinishes"), False, "outlive"),
    (
        "a node's credentials",
        POLICY,
        (-1, "spec", "egress", 0, "to", 0, "ipBlock", "except"),
        ["10.0.0.0/8"],
        "credentials",
    ),
    ("to any port", POLICY, (-1, "spec", "egress", 0, "ports", 0, "port"), 80, "other ports"),
    (
        "from everybody",
        POLICY,
        (2, "spec", "ingress", 0, "from", 0),
        {"namespaceSelector": {}},
        "every pod",
    ),
    (
        "to nobody's pods",
        POLICY,
        (1, "spec", "podSelector", "matchLabels"),
        {"ray.io/is-ray": "yes"},
        "no pod has",
    ),
    ("no default", POLICY, (0, "spec", "policyTypes"), ["Ingress"], "refuses everything"),
    (
        "may read secrets",
        "base/scheduler.yaml",
        (1, "rules", 1, "resources"),
        ["secrets"],
        "secrets",
    ),
    (
        "another environment",
        "base/environment.yaml",
        ("data", "RAY_USAGE_STATS_ENABLED"),
        "1",
        "RAY_USAGE_STATS_ENABLED",
    ),
    (
        "a key in the environment",
        "base/environment.yaml",
        ("data", "AWS_SECRET_ACCESS_KEY"),
        "x",
        "secret",
    ),
    (
        "unrestricted",
        "base/namespace.yaml",
        ("metadata", "labels", "pod-security.kubernetes.io/enforce"),
        "baseline",
        "restricted",
    ),
    (
        "no such file",
        "base/kustomization.yaml",
        ("resources", 0),
        "name-space.yaml",
        "no such file",
    ),
    (
        "a file left out",
        "base/kustomization.yaml",
        ("resources",),
        ["namespace.yaml"],
        "there is no",
    ),
    (
        "an image of nobody",
        "aws/shared/kustomization.yaml",
        ("images", 0, "name"),
        "ufd",
        "no container",
    ),
    (
        "both tag and digest",
        "aws/shared/kustomization.yaml",
        ("images", 0, "digest"),
        "sha256:0",
        "valid under each",
    ),
    (
        "patch of nobody",
        "aws/shared/kustomization.yaml",
        ("patches", 0, "target", "name"),
        "scorer",
        "there is no ServiceAccount",
    ),
]


@pytest.mark.parametrize(
    ("name", "path", "value", "says"), [one[1:] for one in CHOSEN], ids=[one[0] for one in CHOSEN]
)
def test_chosen_fault_is_caught_and_named(name: str, path: Path_, value: Any, says: str) -> None:
    twin = copy_of(FILES[name])
    path = path if isinstance(path[0], int) else (0, *path)
    reduce(getitem, path[:-1], twin)[path[-1]] = value
    faults = list(find_file_faults(name, twin)) or list(find_joint_faults(FILES | {name: twin}))
    assert any(says in fault for fault in faults), faults


def test_file_that_no_way_uses_is_named() -> None:
    extra = FILES | {"base/forgotten.yaml": FILES["base/namespace.yaml"]}
    assert list(find_joint_faults(extra)) == ["base/forgotten.yaml: no way of running uses it"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4: 'c' stands twice"), ("a: [1", "flow sequence")],
)
def test_yaml_that_does_not_mean_one_thing_is_refused(text: str, says: str) -> None:
    with pytest.raises(UnreadableError, match=says):
        parse_documents(text)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\na: 2\n", encoding="utf-8")
    with pytest.raises(UnreadableError, match=r"a\.yaml: line 2"):
        read_files(tmp_path)


def test_a_kind_that_nobody_knows_is_refused() -> None:
    (fault,) = find_schema_faults({"apiVersion": "v1", "kind": "Secret"})
    assert "Secret" in fault


def test_resource_twice_is_refused() -> None:
    twin = copy_of(FILES["base/kustomization.yaml"])
    twin[0]["resources"].append("namespace.yaml")
    with pytest.raises(CannotRenderError, match="there twice"):
        render(FILES | {"base/kustomization.yaml": twin}, "aws/standing")


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("way", WAYS)
def test_renders_as_kubectl_does(way: str) -> None:
    rendered = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / way)], capture_output=True, check=True, text=True
    )

    def by_name(documents: list[Any]) -> list[Any]:
        return sorted(documents, key=lambda one: (one["kind"], one["metadata"]["name"]))

    assert by_name(render(FILES, way)) == by_name(list(yaml.safe_load_all(rendered.stdout)))
