"""The plan of a search for a job that is about to begin, on the machines that are up by then."""

from __future__ import annotations

from dataclasses import replace

from ufd_ray.encoders import DeviceChoice
from ufd_ray.pipeline.cluster import Cluster, look_at_cluster
from ufd_ray.pipeline.searching.gpus import find_gpus
from ufd_ray.pipeline.searching.plan import SearchPlan, plan_search
from ufd_ray.settings import SearchSettings
from ufd_ray.storage import BankInfo


def plan_on(
    choice: DeviceChoice,
    settings: SearchSettings,
    bank: BankInfo,
    cluster: Cluster,
    timeout_s: float,
) -> SearchPlan:
    """Look at the machines and plan; say so in one line.

    Args:
        choice: on which device, and why.
        settings: what was asked for.
        bank: what is searched.
        cluster: as it was.
        timeout_s: longest wait for a GPU where one is needed, in seconds.

    Raises:
        SettingsError: as `plan_search`; or there is no GPU, and none can join.
        ClusterError: as `plan_search`; or no GPU came in time, or one cannot be used.
    """
    on_gpus = choice.device == "cuda"
    machines = find_gpus(cluster, timeout_s) if on_gpus else look_at_cluster(cluster.may_grow)
    plan = plan_search(settings, bank, machines)
    plan = replace(plan, why=f"{plan.why}; {choice.reason}")
    print(plan)
    return plan
