"""Where in a cluster a bank is searched: whole on every machine, or in parts."""

from ufd_ray.pipeline.searching.opened import OpenSearch, open_search
from ufd_ray.pipeline.searching.plan import SearchPlan, plan_search

__all__ = ["OpenSearch", "SearchPlan", "open_search", "plan_search"]
