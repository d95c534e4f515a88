"""Settings of `export`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place, RunId
from ufd_ray.settings.several import Several

Verdict = Literal["fake", "unsure", "real", "all"]


class ExportSettings(JobSettings):
    """Write the ids of flagged images for a moderation queue, highest score first."""

    output: Place = Field(description="root folder or URI, as the runs had it")
    run_id: Several[RunId] = Field(
        [],
        description="images of this published run; repeatable: of an image in several of them the"
        " newest row counts",
    )
    current: bool = Field(
        False, description="instead of --run-id: images of ROOT/current, as jobs/current.py left it"
    )
    to: Place = Field(description="file or URI that is written: .csv or .jsonl")
    verdict: Several[Verdict] = Field(
        ["fake"], description="fake, unsure, real or all: images of this verdict; repeatable"
    )
    min_score: float | None = Field(
        None,
        ge=-2,
        le=2,
        description="only images whose deciding score is at least this: 0–1, of a margin −2–2",
    )
    limit: int | None = Field(None, ge=1, description="only the first so many, highest score first")
    with_duplicates: bool = Field(
        False, description="every name of the same bytes, rather than one of them"
    )
    detector_id: str | None = Field(
        None, description="only rows of this detector, where there are rows of several"
    )

    @field_validator("to")
    @classmethod
    def _has_a_known_ending(cls, place: str) -> str:
        if not place.endswith((".csv", ".jsonl")):
            raise ValueError(
                "the name decides the format: expected one that ends with .csv or .jsonl"
            )
        return place

    @model_validator(mode="after")
    def _names_its_rows(self) -> Self:
        if bool(self.run_id) == self.current:
            raise ValueError("whose rows? Give either --run-id (repeatable) or --current")
        return self

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The words that rows may bear."""
        every = ("fake", "unsure", "real")
        return every if "all" in self.verdict else tuple(self.verdict)
