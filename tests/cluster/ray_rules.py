"""What KubeRay and Ray would only say once it runs, and what our jobs expect of a cluster."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from tests.cluster.manifests import Document
from tests.cluster.quantities import parse_daily_schedule, parse_quantity
from tests.cluster.workloads import find_clusters, find_jobs
from ufd_ray.command_line import read_settings
from ufd_ray.errors import SettingsError
from ufd_ray.settings import ScoreSettings

ROOT = Path(__file__).parents[2]
CODE = "/opt/ufd-ray/"
"""Where the container image has the repository."""
TODAY = "$(date -u +%F)"
"""The one thing in an entry point that the submitter's shell fills in."""
_TAINT_OF_GPU_NODES = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
_PORTS_OF_A_HEAD = {"gcs-server": 6379, "dashboard": 8265}
"""By this name KubeRay finds the job port."""
_SLACK_MIN = 30
_DNS_LABEL = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
# KubeRay's own bounds; a RayCronJob adds a dash and five letters.
_LONGEST_NAME = {"RayCluster": 47, "RayJob": 47, "RayCronJob": 41}


def find_ray_faults(documents: list[Document]) -> Iterator[str]:
    """A line for everything that is wrong with the clusters, jobs and schedules."""
    for one in documents:
        longest = _LONGEST_NAME.get(one["kind"])
        name = one["metadata"]["name"]
        if longest and (len(name) > longest or not _DNS_LABEL.match(name)):
            yield f"{one['kind']} {name}: expected at most {longest} letters, digits and dashes"
    if len(find_clusters(documents)) != 1:
        yield f"expected one cluster, got {', '.join(find_clusters(documents)) or 'none'}"
    for where, cluster in find_clusters(documents).items():
        yield from (f"{where}: {fault}" for fault in _cluster(cluster))
    for where, job in find_jobs(documents).items():
        yield from (f"{where}: {fault}" for fault in _job(job, where.startswith("RayCronJob")))
    for one in documents:
        if one["kind"] == "RayCronJob":
            yield from (f"RayCronJob {one['metadata']['name']}: {f}" for f in _nights(one["spec"]))


def _cluster(cluster: Document) -> Iterator[str]:
    if cluster.get("rayVersion") != version("ray"):
        yield f"rayVersion is {cluster.get('rayVersion')!r}; pyproject.toml pins {version('ray')}"
    if cluster.get("authOptions", {}).get("mode") != "token":
        yield "authOptions.mode is not token: whoever reaches the job port runs code here"
    autoscaler = cluster.get("autoscalerOptions", {})
    if not cluster.get("enableInTreeAutoscaling") or autoscaler.get("version") != "v2":
        yield "workers come and go with Ray's autoscaler v2 alone"
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    if head.get("rayStartParams", {}).get("num-cpus") != "0":
        yield "head: num-cpus is not 0: tasks would take the driver's memory"
    open_ports = head["template"]["spec"]["containers"][0].get("ports", [])
    if {one.get("name"): one["containerPort"] for one in open_ports} != _PORTS_OF_A_HEAD:
        yield f"head: its service would not be for {_PORTS_OF_A_HEAD}"
    gpus = []
    for group in [head, *workers]:
        name = group.get("groupName", "head")
        yield from (f"{name}: {fault}" for fault in _start(group))
        policy = group["template"]["spec"].get("restartPolicy", "Never")
        if policy != "Never":
            yield f"{name}: restartPolicy is {policy}; autoscaler v2 makes new pods itself"
        limits = group["template"]["spec"]["containers"][0].get("resources", {}).get("limits", {})
        gpus.append(limits.get("nvidia.com/gpu"))
        tolerations = group["template"]["spec"].get("tolerations", [])
        if tolerations != ([] if gpus[-1] is None else [_TAINT_OF_GPU_NODES]):
            yield f"{name}: expected {_TAINT_OF_GPU_NODES} tolerated where it asks for a GPU, only"
    if gpus[0] is not None or all(gpus[1:]) or not any(gpus[1:]):
        yield "expected a head without GPU, a group with and a group without"
    names = [group["groupName"] for group in workers]
    if len(set(names)) != len(names):
        yield "two groups of one name"
    for group in workers:
        least, now, most = (group.get(key) for key in ("minReplicas", "replicas", "maxReplicas"))
        if least != 0 or now not in (None, 0) or not most:
            yield f"{group['groupName']}: does not grow from zero to a bound"


def _start(group: Document) -> Iterator[str]:
    params = group.get("rayStartParams", {})
    if unknown := params.keys() - _options_of_ray_start():
        yield f"`ray start` has no option {', '.join(sorted(unknown))}"
    spec = group["template"]["spec"]
    shared = [v.get("emptyDir", {}) for v in spec.get("volumes", []) if v["name"] == "shared-mem"]
    store = params.get("object-store-memory", "")
    if not store.isdecimal() or not shared or "sizeLimit" not in shared[0]:
        yield "object-store-memory and the volume shared-mem have to be given in bytes"
        return
    if shared[0].get("medium") != "Memory":
        yield "the volume shared-mem is no memory"
    size = parse_quantity(shared[0]["sizeLimit"])
    if int(store) > size:
        yield f"object-store-memory {store} does not fit into shared-mem of {size} bytes"
    memory = spec["containers"][0].get("resources", {}).get("limits", {}).get("memory", 0)
    if size > parse_quantity(memory) / 2:
        yield "shared-mem takes more than half of the container's memory, of which it is a part"


@cache
def _options_of_ray_start() -> set[str]:
    from ray.scripts.scripts import start

    return {name.removeprefix("--") for param in start.params for name in param.opts}


def _job(job: Document, nightly: bool) -> Iterator[str]:
    for key in ("backoffLimit", "activeDeadlineSeconds", "preRunningDeadlineSeconds"):
        if key not in job:
            yield f"no {key}: it would wait, or be tried, without an end or not at all"
    if job.get("shutdownAfterJobFinishes") is not True or "ttlSecondsAfterFinished" not in job:
        yield "the cluster would outlive the job: shutdownAfterJobFinishes, ttlSecondsAfterFinished"
    if job.get("submissionMode") != "K8sJobMode":
        yield "submissionMode is not K8sJobMode, whose pod the rest is written for"
    if job["submitterPodTemplate"]["spec"].get("restartPolicy") not in ("Never", "OnFailure"):
        yield "submitter: restartPolicy has to be Never or OnFailure, as of any Job's pod"
    if job.get("suspend"):
        yield "suspend: it would wait for somebody to let it go"
    if "runtimeEnvYAML" in job:
        yield "runtimeEnvYAML: the image has all that a job needs"
    command = job.get("entrypoint", "")
    if nightly and command.count(TODAY) != 1:
        yield f"entrypoint: the run id is not {TODAY}"
    words = shlex.split(command.replace(TODAY, "2026-11-24"))
    if len(words) < 2 or words[0] != "python" or not words[1].startswith(CODE):
        yield f"entrypoint: does not start with `python {CODE}jobs/`"
        return
    if words[1] != f"{CODE}jobs/score.py" or not (ROOT / "jobs/score.py").is_file():
        yield f"entrypoint: {words[1]} is not the job that scores"
    if odd := [word for word in words[2:] if set(word) & set("$`;|&<>(){}*?")]:
        yield f"entrypoint: the shell would make something else of {odd}"
    try:
        settings = read_settings(ScoreSettings, words[2:])
    except SettingsError as error:
        yield f"entrypoint: {error}"
        return
    if settings.dry_run or settings.limit is not None:
        yield "entrypoint: --dry-run or --limit: what is shipped scores all there is"
    if nightly and settings.run_id != "2026-11-24":
        yield f"entrypoint: the run id is more than {TODAY}"
    yield from _buckets("reader", [*settings.input, settings.bank, settings.probe])
    yield from _buckets("writer", [settings.output])
    if settings.run_id is None:
        yield "entrypoint: without --run-id an attempt cannot go on where the last one stopped"
    if settings.device != "cuda":
        yield "entrypoint: without --device cuda it might run on CPUs before a GPU is there"
    if nightly and not (settings.incremental and settings.keep_embeddings):
        yield "entrypoint: a nightly run is --incremental and has --keep-embeddings"


def _buckets(role: str, places: list[str | None]) -> Iterator[str]:
    """What the policies of cluster/policies would not allow to a job's places."""
    allowed = (ROOT / "cluster" / "policies" / f"{role}.json").read_text(encoding="utf-8")
    for place in filter(None, places):
        if f'"arn:aws:s3:::{urlsplit(place).netloc}/*"' not in allowed:
            yield f"entrypoint: {place} is in no bucket of policies/{role}.json"


def _nights(cron_job: Document) -> Iterator[str]:
    if cron_job.get("suspend"):
        yield "suspend: no night would come"
    try:
        starts_at_min = parse_daily_schedule(cron_job["schedule"])
    except ValueError as error:
        yield f"schedule: {error}"
        return
    if cron_job.get("timeZone") not in available_timezones() & {"Etc/UTC", "UTC"}:
        yield f"timeZone is {cron_job.get('timeZone')!r}; run ids are UTC dates: Etc/UTC"
    job = cron_job["jobTemplate"]
    attempts = job.get("backoffLimit", 0) + 1
    ends_at_min = starts_at_min + attempts * job.get("activeDeadlineSeconds", 0) / 60 + _SLACK_MIN
    if ends_at_min > 24 * 60:
        yield (
            f"{attempts} attempts of {job['activeDeadlineSeconds']} s from minute {starts_at_min}"
            f" and {_SLACK_MIN} minutes between them do not end on the same UTC day"
        )
