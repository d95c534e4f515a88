"""Settings of `score`."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ufd_ray.settings.images import ImageSettings
from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place, RunId
from ufd_ray.settings.several import Several


class ScoreSettings(ImageSettings):
    """Score images with a feature bank, a probe, or both: one row an image, as Parquet."""

    # What bank and probe hold is compared instead, wherever they lie.
    changes_no_row: ClassVar[frozenset[str]] = JobSettings.changes_no_row | {"bank", "probe"}

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
    bank: Place | None = Field(None, description="folder or URI of a feature bank")
    probe: Place | None = Field(None, description="folder or URI of a probe")
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
    k: int = Field(9, ge=1, le=100, description="neighbours that vote, and are kept as evidence")
    decide_by: Literal["probe", "neighbors"] | None = Field(
        None, description="whose word the verdict is; without it, the probe's if there is one"
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

    @model_validator(mode="after")
    def _has_a_detector(self) -> Self:
        if self.bank is None and self.probe is None:
            raise ValueError("neither --bank nor --probe is given: at least one has to decide")
        if self.decide_by == "probe" and self.probe is None:
            raise ValueError("--decide-by probe needs --probe")
        if self.decide_by == "neighbors" and self.bank is None:
            raise ValueError("--decide-by neighbors needs --bank")
        return self

    @property
    def decider(self) -> Literal["probe", "neighbors"]:
        """The detector whose word the verdict is."""
        return self.decide_by or ("probe" if self.probe else "neighbors")
