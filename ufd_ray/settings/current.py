"""Settings of `current`."""

from __future__ import annotations

from pydantic import Field

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place


class CurrentSettings(JobSettings):
    """Write the newest row of every image, over all published runs, to ROOT/current."""

    output: Place = Field(description="root folder or URI, as the runs had it")
    rows_per_file: int = Field(100_000, ge=1, description="rows in one file")
