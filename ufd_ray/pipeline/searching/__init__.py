"""Where a bank is searched: whole on every machine, or in parts; on CPUs or GPUs."""

from ufd_ray.pipeline.searching.device import Encoding, choose_search_device
from ufd_ray.pipeline.searching.opened import OpenSearch, open_search
from ufd_ray.pipeline.searching.plan import SearchPlan, plan_search
from ufd_ray.pipeline.searching.planned import plan_on

__all__ = [
    "Encoding",
    "OpenSearch",
    "SearchPlan",
    "choose_search_device",
    "open_search",
    "plan_on",
    "plan_search",
]
