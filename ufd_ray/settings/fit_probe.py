"""Settings of `fit_probe`."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ufd_ray.settings.judging import JudgingSettings
from ufd_ray.settings.places import Place


class FitProbeSettings(JudgingSettings):
    """Fit a linear probe on a feature bank, or import published weights."""

    bank: Place = Field(description="folder or URI of the feature bank")
    output: Place = Field(description="folder or URI of the new probe")
    recipe: Literal["logistic", "paper"] = Field(
        "logistic",
        description="logistic: L2-regularised, solved to its optimum; paper: AdamW with"
        " the released schedule",
    )
    l2: float | Literal["cv"] = Field(
        0.1,
        description="regularisation of logistic, as scikit-learn's C: smaller is stronger; cv:"
        " chosen by cross-validation",
    )
    folds: int | None = Field(
        None,
        ge=0,
        le=20,
        description="folds of the cross-validation that judges the probe, 0 for none; without it, 5"
        " where the bank has at most 1,000 training images, or with --l2 cv",
    )
    seed: int = Field(
        0, ge=0, description="draws folds, and initial weights and order of the paper's recipe"
    )
    num_workers: int = Field(2, ge=1, description="data-parallel workers")
    max_failures: int = Field(3, ge=0, description="lost workers after which the fit gives up")
    progress_s: float = Field(10.0, gt=0, description="seconds between two lines of progress")
    import_: Place | None = Field(
        None, alias="import", description="a .pth file of the paper's authors instead of fitting"
    )

    @field_validator("l2", mode="before")
    @classmethod
    def _is_one_of_two(cls, given: Any) -> Any:
        # Here, and not by the two types alone, which would be two errors about one value.
        if given == "cv":
            return given
        try:
            number = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 < number < math.inf:
            raise ValueError("expected a number over 0, or cv")
        return number

    @field_validator("folds")
    @classmethod
    def _leaves_rows_to_fit_on(cls, folds: int | None) -> int | None:
        if folds == 1:
            raise ValueError("one fold leaves nothing to fit on; expected 0, or 2 to 20")
        return folds

    @model_validator(mode="after")
    def _cross_validates_logistic_only(self) -> Self:
        if self.import_ is not None:
            return self  # nothing is fitted, whatever the flags say of fitting
        if self.recipe == "paper" and self.l2 == "cv":
            raise ValueError("--l2 cv is for --recipe logistic: the paper's recipe has no penalty")
        if self.recipe == "paper" and self.folds:
            raise ValueError(
                "--folds is for --recipe logistic: the paper's stops by held-out images"
            )
        if self.l2 == "cv" and self.folds == 0:
            raise ValueError("--l2 cv needs folds to choose by: leave --folds out, or give 2 to 20")
        return self
