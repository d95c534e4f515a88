"""Settings of `demo`."""

from __future__ import annotations

from pydantic import Field

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place


class DemoSettings(JobSettings):
    """See the whole path on images that are made here: bank, probe, crawl, scores, table."""

    output: Place = Field("demo-output", description="folder for everything that the demo makes")
    num_crops: int = Field(
        200, ge=80, le=2000, description="real crops for the bank, and as many fakes"
    )
    seed: int = Field(0, ge=0, description="draws the crops")
