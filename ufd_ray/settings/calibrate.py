"""Settings of `calibrate`."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.judging import JudgingSettings
from ufd_ray.settings.places import Place
from ufd_ray.settings.searching import SearchDeviceSettings


class CalibrateSettings(SearchDeviceSettings, JudgingSettings):
    """Find thresholds and calibration anew, on labelled images of your own.

    With --probe, a new probe of the same weights is written to --output. With --bank, the margins
    of its neighbours are judged, and `neighbors.json` is written beside the bank's shards.
    """

    # What they hold is compared instead, wherever they lie.
    changes_no_row: ClassVar[frozenset[str]] = JobSettings.changes_no_row | {
        *("probe", "bank", "on", "replace")
    }

    probe: Place | None = Field(None, description="folder or URI of the probe to calibrate")
    bank: Place | None = Field(
        None, description="folder or URI of the feature bank whose neighbours to calibrate"
    )
    on: Place | None = Field(
        None,
        description="folder or URI of a bank of the labelled images; without it, --bank itself",
    )
    split: Literal["val", "all"] = Field(
        "val", description="which images of --on are judged by; all: train and val"
    )
    output: Place | None = Field(None, description="folder or URI of the new probe")
    replace: bool = Field(False, description="write a neighbors.json that is there already anew")

    @model_validator(mode="after")
    def _has_one_detector(self) -> Self:
        if (self.probe is None) == (self.bank is None):
            raise ValueError("whose scores? Give either --probe or --bank")
        if self.probe is not None and (self.on is None or self.output is None):
            raise ValueError("--probe needs --on (labelled images) and --output (the new probe)")
        if self.probe is not None and self.search_device != "auto":
            raise ValueError("--search-device is for --bank: a probe searches nothing")
        if self.bank is not None and self.output is not None:
            raise ValueError("--bank takes no --output: neighbors.json goes beside its shards")
        if self.bank is not None and self.on is None and self.split == "all":
            raise ValueError(
                "--split all needs --on: a bank's own train images are their own neighbours"
            )
        return self
