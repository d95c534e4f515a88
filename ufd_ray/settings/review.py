"""Settings of whatever judges a run by images of it that a person has labelled."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place

_OF_A_REVIEW = frozenset(("labels", "run", "output", "seed", *JobSettings.model_fields))


class ReviewSettings(JobSettings):
    """A filled-in sample, and the run that it was drawn from."""

    labels: Place | None = Field(
        None,
        description="instead of --input: file of jobs/report.py with its column label filled in;"
        " estimates how right that run's verdicts are",
    )
    run: Place | None = Field(
        None, description="with --labels: see that the sample is of this run, as it still is"
    )

    @model_validator(mode="after")
    def _reviews_or_scores(self) -> Self:
        if self.labels is None:
            if self.run is not None:
                raise ValueError("--run needs --labels: without it, images of --input are judged")
            return self
        for name in sorted(self.model_fields_set - _OF_A_REVIEW):
            flag = name.replace("_", "-")
            raise ValueError(f"--labels scores no images: --{flag} means nothing; leave it out")
        return self
