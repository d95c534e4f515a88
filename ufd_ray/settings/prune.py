"""Settings of `prune`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place, RunId
from ufd_ray.settings.several import Several

_A_CENTURY = 36_500


class PruneSettings(JobSettings):
    """Delete old runs, old embeddings and abandoned runs of ROOT, by policy.

    A published run goes only if newer runs that stay have a row of each of its images.
    """

    output: Place = Field(description="root folder or URI, as the runs had it")
    runs_older_than_days: int | None = Field(
        None,
        ge=1,
        le=_A_CENTURY,
        description="delete published runs that finished more than so many days ago",
    )
    embeddings_older_than_days: int | None = Field(
        None,
        ge=1,
        le=_A_CENTURY,
        description="delete kept embeddings of published runs as old; rows stay",
    )
    unfinished_older_than_days: int | None = Field(
        None,
        ge=1,
        le=_A_CENTURY,
        description="delete runs that were never published, after so many days without any sign"
        " of life",
    )
    forget: Several[RunId] = Field(
        [],
        description="this published run may go although it holds the newest row of some images,"
        " which are then unknown; it has to be old enough as well; repeatable",
    )
    dry_run: bool = Field(False, description="say what would be deleted, and delete nothing")

    @model_validator(mode="after")
    def _has_a_policy(self) -> Self:
        policies = (
            self.runs_older_than_days,
            self.embeddings_older_than_days,
            self.unfinished_older_than_days,
        )
        if not any(policies):
            raise ValueError(
                "no policy is given: --runs-older-than-days, --embeddings-older-than-days or"
                " --unfinished-older-than-days"
            )
        if self.forget and not self.runs_older_than_days:
            raise ValueError("--forget needs --runs-older-than-days: it has to be old enough, too")
        return self
