"""Settings of the jobs that search a bank: where that happens. None changes what is found."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ufd_ray.settings.images import Device
from ufd_ray.settings.job import JobSettings

SearchMode = Literal["replicated", "sharded"]
"""`replicated`: every machine that searches has the whole bank. `sharded`: each has a part."""


class SearchDeviceSettings(JobSettings):
    """On what a bank is searched."""

    search_device: Literal["auto", Device] = Field(
        "auto",
        description="on what the bank is searched; auto: CUDA where the encoders run on it, or"
        " where there is any and nothing is encoded",
    )


class SearchSettings(SearchDeviceSettings):
    """Where in a cluster a bank is searched."""

    search: Literal["auto", SearchMode] = Field(
        "auto",
        description="where the bank is searched: replicated, as a whole on every machine; sharded,"
        " a part of it on each; auto: replicated where it fits",
    )
    search_memory_mb: int | None = Field(
        None,
        ge=1,
        description="memory that the bank may take of each machine, and of its GPU where it is"
        " searched there, in MiB; without it, 40 % of what Ray has for workers on the smallest"
        " machine, and 30 % of the smallest GPU",
    )
    search_shards: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="sharded: parts that the bank is searched in; without it, one a machine",
    )

    @model_validator(mode="after")
    def _shards_are_for_sharded(self) -> Self:
        if self.search_shards is not None and self.search != "sharded":
            raise ValueError(
                f"--search-shards {self.search_shards} needs --search sharded:"
                f" {self.search} has no use for it"
            )
        return self
