"""Settings of `fit_probe`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place


class FitProbeSettings(JobSettings):
    """Fit a linear probe on a feature bank, or import published weights."""

    bank: Place = Field(description="folder or URI of the feature bank")
    output: Place = Field(description="folder or URI of the new probe")
    recipe: Literal["logistic", "paper"] = Field(
        "logistic",
        description="logistic: L2-regularised, solved to its optimum; paper: AdamW with"
        " the released schedule",
    )
    l2: float = Field(
        0.1,
        gt=0,
        description="regularisation of logistic, as scikit-learn's C: smaller is stronger",
    )
    seed: int = Field(0, ge=0, description="draws initial weights and order of the paper's recipe")
    num_workers: int = Field(2, ge=1, description="data-parallel workers")
    import_: Place | None = Field(
        None, alias="import", description="a .pth file of the paper's authors instead of fitting"
    )
