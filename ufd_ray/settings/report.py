"""Settings of `report`."""

from __future__ import annotations

from pydantic import Field, field_validator

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place


class ReportSettings(JobSettings):
    """Draw images of a run to be labelled by eye: a CSV file with an empty column `label`.

    Filled in, it tells `evaluate --labels` how right the run's verdicts are.
    """

    run: Place = Field(
        description="ROOT/runs/RUN_ID, a published run; or ROOT, for the newest rows of all of them"
        " in ROOT/current"
    )
    sample: int = Field(400, ge=20, le=20_000, description="images to label")
    output: Place = Field(
        description="file or URI that is written: .csv; with .json behind the name, its record"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="of the draw")

    @field_validator("output")
    @classmethod
    def _is_csv(cls, place: str) -> str:
        if not place.endswith(".csv"):
            raise ValueError("expected a name that ends with .csv")
        return place
