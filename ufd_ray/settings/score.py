"""Settings of `score`."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ufd_ray.settings.deciding import DecidingSettings
from ufd_ray.settings.images import ImageSettings
from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place, RunId
from ufd_ray.settings.several import Several


class ScoreSettings(DecidingSettings, ImageSettings):
    """Score images with a feature bank, a probe, or both: one row an image, as Parquet."""

    # What bank and probe hold is compared instead, wherever they lie; and what a threshold's name
    # comes to, whatever it is called.
    changes_no_row: ClassVar[frozenset[str]] = JobSettings.changes_no_row | {
        *("bank", "probe", "threshold", "unsure_above")
    }

    input: Several[Place] = Field(
        [], description=ImageSettings.model_fields["input"].description or ""
    )
    from_run: Several[RunId] = Field(
        [],
        description="instead of --input: published run of ROOT, whose images are scored again from"
        " their kept embeddings; repeatable",
    )
    retry_failed: RunId | None = Field(
        None,
        description="instead of --input: published run of ROOT, whose images with transient errors"
        " are tried again",
    )
    output: Place = Field(description="root folder or URI; the run is written to ROOT/runs/RUN_ID")
    run_id: RunId | None = Field(
        None,
        description="the run's name: given again, that run goes on; none: made from the time",
    )
    lease_s: float = Field(
        60.0,
        gt=0,
        description="seconds without a sign of life after which a run's driver counts as dead",
    )
    reuse_embeddings: bool = Field(
        True, description="take kept embeddings of ROOT's runs for bytes that were seen before"
    )
    incremental: bool = Field(
        False, description="only images that are new or changed since ROOT's published runs"
    )
    keep_embeddings: bool = Field(False, description="publish the embeddings beside the scores")
    rows_per_file: int = Field(100_000, ge=1, description="rows in one published file")

    @model_validator(mode="after")
    def _has_images(self) -> Self:
        given = [
            "--" + name.replace("_", "-")
            for name in ("input", "from_run", "retry_failed")
            if getattr(self, name)
        ]
        if not given:
            raise ValueError("--input is required (or --from-run, or --retry-failed)")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: give one of them")
        if self.incremental and not self.input:
            raise ValueError(
                "--incremental needs --input: it leaves out what has not changed there"
            )
        return self
