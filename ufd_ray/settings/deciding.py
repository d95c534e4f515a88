"""Settings of whatever turns embeddings into verdicts: which detectors, and where the line is."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place

Decider = Literal["probe", "neighbors", "margin"]
ThresholdName = Literal["default", "tuned", "max-fpr", "calibrated"]

SCALES: dict[Decider, tuple[float, float]] = {
    "probe": (0.0, 1.0),
    "neighbors": (0.0, 1.0),
    "margin": (-2.0, 2.0),
}
"""Lowest and highest number that a detector can say."""


def _is_a_threshold(value: Any) -> Any:
    if value is None or value in get_args(ThresholdName):
        return value
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected a number, or one of {', '.join(get_args(ThresholdName))}")
    return number


Threshold = Annotated[float | ThresholdName, BeforeValidator(_is_a_threshold)]
"""A number on the scale of whoever decides, or the name of one that was found for it."""


class DecidingSettings(JobSettings):
    """Which detectors score, which of them decides, and from where on an image counts as fake."""

    bank: Place | None = Field(None, description="folder or URI of a feature bank")
    probe: Place | None = Field(None, description="folder or URI of a probe")
    k: int = Field(9, ge=1, le=100, description="neighbours that vote, and are kept as evidence")
    decide_by: Decider | None = Field(
        None,
        description="whose word the verdict is: the probe's score, the neighbours' vote or their"
        " margin; without it, the probe's if there is one, else the vote's",
    )
    threshold: Threshold = Field(
        "default",
        description="score above which an image counts as fake: a number, or one that was found on"
        " labelled images: tuned, max-fpr, calibrated; default: 0.5, of the margin 0",
    )
    unsure_above: Threshold | None = Field(
        None,
        description="score above which an image that is not called fake is called unsure: a number"
        " or a word as for --threshold, below it",
    )

    @model_validator(mode="after")
    def _has_a_detector(self) -> Self:
        if self.bank is None and self.probe is None:
            raise ValueError("neither --bank nor --probe is given: at least one has to decide")
        if self.decide_by == "probe" and self.probe is None:
            raise ValueError("--decide-by probe needs --probe")
        if self.decide_by in ("neighbors", "margin") and self.bank is None:
            raise ValueError(f"--decide-by {self.decide_by} needs --bank")
        return self

    @model_validator(mode="after")
    def _has_usable_thresholds(self) -> Self:
        low, high = SCALES[self.decider]
        for flag, given in (("threshold", self.threshold), ("unsure-above", self.unsure_above)):
            if isinstance(given, float) and not low <= given <= high:
                raise ValueError(
                    f"--{flag} {given:g}: what decides ({self.decider}) lies between {low:g} and"
                    f" {high:g}"
                )
            named = isinstance(given, str) and given != "default"
            if self.decider == "neighbors" and named:
                raise ValueError(
                    f"--{flag} {given}: a vote has only k + 1 values, so no thresholds are looked"
                    " for; give a number, or decide by the margin (--decide-by margin)"
                )
        return self

    @property
    def decider(self) -> Decider:
        """The detector whose word the verdict is."""
        return self.decide_by or ("probe" if self.probe else "neighbors")
