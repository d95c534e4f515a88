"""Settings of the jobs that turn a detector's numbers into words: thresholds and calibration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ufd_ray.settings.job import JobSettings


class JudgingSettings(JobSettings):
    """How thresholds and calibration are found on labelled images that the fit did not see."""

    calibrate: Literal["platt", "temperature", "none"] = Field(
        "platt",
        description="how scores become probabilities: platt fits scale and shift, temperature the"
        " scale alone",
    )
    fake_share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of fakes where probabilities will be read, 0–1; without it, that of the"
        " labelled images",
    )
    max_fpr: float = Field(
        0.01,
        ge=1e-6,
        lt=1,
        description="share of real images that the threshold max-fpr may flag, 0–1",
    )
    confidence: float = Field(
        0.95, gt=0, lt=1, description="how sure that bound on flagged real images has to be, 0–1"
    )
