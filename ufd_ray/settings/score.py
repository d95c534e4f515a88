"""Settings of `score`."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ufd_ray.settings.deciding import DecidingSettings
from ufd_ray.settings.images import ImageSettings
from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place, RunId
from ufd_ray.settings.searching import SearchSettings
from ufd_ray.settings.several import Several


class ScoreSettings(DecidingSettings, SearchSettings, ImageSettings):
    """Score images with a feature bank, a probe, or both: one row an image, as Parquet."""

    # What bank and probe hold is compared instead, wherever they lie; and what a threshold's name
    # comes to, whatever it is called.
    changes_no_row: ClassVar[frozenset[str]] = JobSettings.changes_no_row | {
        *("bank", "probe", "threshold", "unsure_above", "plan")
    }

    input: Several[Place] = Field(
        [], description=ImageSettings.model_fields["input"].description or ""
    )
    embeddings: Several[Place] = Field(
        [],
        description="instead of --input: Parquet with stored embeddings, a folder of such files, a"
        " bank, or the folder of a published run, wherever it lies; repeatable",
    )
    embedding_column: str = Field(
        "embedding", min_length=1, description="column of --embeddings in which they are"
    )
    embeddings_encoder: str | None = Field(
        None,
        description="encoder_id of the encoder that --embeddings are from, where nothing there"
        " tells; it has to be that of bank and probe",
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
    gallery: bool = Field(
        True,
        description="show some images, and their nearest of the bank, as thumbnails in report.html",
    )
    rows_per_file: int = Field(100_000, ge=1, description="rows in one published file")
    plan: Place | None = Field(
        None,
        description="plan of this run, as jobs/plan.py --output wrote it: run.json and the report"
        " put what it predicted beside what the run took",
    )

    @model_validator(mode="after")
    def _has_images(self) -> Self:
        given = [
            "--" + name.replace("_", "-")
            for name in ("input", "embeddings", "from_run", "retry_failed")
            if getattr(self, name)
        ]
        if not given:
            raise ValueError("--input is required (or --embeddings, --from-run, or --retry-failed)")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: give one of them")
        if self.plan is not None and not self.input:
            raise ValueError("--plan needs --input: a plan is about images that are listed")
        if self.incremental and not (self.input or self.embeddings):
            raise ValueError(
                "--incremental needs --input or --embeddings: it leaves out what has not changed"
                " there"
            )
        return self

    @model_validator(mode="after")
    def _has_flags_that_mean_something(self) -> Self:
        of_embeddings = ("embedding_column", "embeddings_encoder")
        of_images = ("include", "exclude", "image_column", "allow_http", "weights")
        others = of_images if self.embeddings else of_embeddings
        given = [
            "--" + name.replace("_", "-")
            for name in others
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if given and self.embeddings:
            raise ValueError(
                f"--embeddings reads no images: {given[0]} means nothing; leave it out"
            )
        if given:
            raise ValueError(f"{given[0]} needs --embeddings")
        return self

    @property
    def input_kind(self) -> Literal["images", "stored embeddings", "kept embeddings"]:
        """What the run's rows are made from."""
        if self.embeddings:
            return "stored embeddings"
        return "kept embeddings" if self.from_run else "images"
