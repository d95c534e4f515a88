"""Settings of `verify`."""

from __future__ import annotations

from pydantic import Field

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place, RunId
from ufd_ray.settings.several import Several


class VerifySettings(JobSettings):
    """Hold published runs of ROOT against their own records: every file, every row, every count."""

    output: Place = Field(description="root folder or URI, as the runs had it")
    run_id: Several[RunId] = Field(
        [], description="only this run; repeatable; without it, every published one"
    )
    current: bool = Field(False, description="verify ROOT/current as well")
