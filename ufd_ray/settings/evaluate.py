"""Settings of `evaluate`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from ufd_ray.settings.deciding import DecidingSettings
from ufd_ray.settings.images import ImageSettings
from ufd_ray.settings.named import each_name_once, is_named, places_by_name
from ufd_ray.settings.places import Place
from ufd_ray.settings.review import ReviewSettings
from ufd_ray.settings.searching import SearchSettings
from ufd_ray.settings.several import Several
from ufd_ray.settings.sweeping import SweepSettings

_OUR_TITLES = ("probe", "margin")


class EvaluateSettings(ReviewSettings, SweepSettings, SearchSettings, ImageSettings):
    """Judge a probe, a bank's neighbours, or both, on labelled test sets.

    Labels come from a manifest's `label` column, or from the folders `0_real` and `1_fake`; the
    test set from its `source` column, or from the first folder below --input.
    With --labels instead: judge a run by images of it that a person has labelled.
    """

    # What they hold is compared instead, wherever they lie.
    changes_no_row: ClassVar[frozenset[str]] = SweepSettings.changes_no_row | {
        *("bank", "probe", "compare_baseline")
    }

    input: Several[Place] = Field(
        [], description=ImageSettings.model_fields["input"].description or ""
    )
    bank: Place | None = Field(
        None, description="folder or URI of the feature bank whose neighbours are judged"
    )
    probe: Place | None = Field(None, description="folder or URI of the probe that is judged")
    output: Place = Field(description="folder or URI of the new evaluation")
    ks: Several[Annotated[int, Field(ge=1, le=100)]] = Field(
        [1, 3, 5, 9],
        description="numbers of neighbours that vote, and of each class whose mean distances make a"
        " margin, each a detector; repeatable",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="draws for the intervals of average precisions, and images for figures",
    )
    bias_check: bool = Field(
        True,
        description="warn of sets whose real images and fakes differ in format, size, quality or"
        " metadata",
    )
    figures: bool = Field(
        True, description="draw curves, histograms, a map of embeddings and spectra as well"
    )
    gallery: bool = Field(
        True, description="show the worst mistakes as thumbnails in evaluation.html"
    )
    compare_baseline: Several[Annotated[str, AfterValidator(is_named)]] = Field(
        [],
        description="NAME=URI of a baseline that train_baseline has trained, judged on the same"
        " images as well; repeatable",
    )
    align: bool = Field(
        False,
        description="make all images alike first: centre crops of one size, as JPEGs of one quality"
        " without metadata; smaller images: error rows",
    )
    align_size: int | None = Field(
        None,
        ge=16,
        le=8192,
        description="side of these crops, pixels; without it, the encoder's input side",
    )
    align_quality: int = Field(95, ge=1, le=100, description="quality of these JPEGs, 1–100")

    @field_validator("ks")
    @classmethod
    def _each_once_in_order(cls, ks: list[int]) -> list[int]:
        if not ks:
            raise ValueError("expected one number at least; without a --bank there is no vote")
        return sorted(set(ks))

    @field_validator("compare_baseline")
    @classmethod
    def _each_name_once_of_baselines(cls, given: list[str]) -> list[str]:
        for name in places_by_name(given):
            if name in _OUR_TITLES:
                raise ValueError(f"tables call a detector of ours {name}; give another name")
        return each_name_once(given, "two baselines are called {}; give each its own name")

    @model_validator(mode="after")
    def _has_a_detector(self) -> Self:
        if self.labels is not None:
            return self
        if not self.input:
            raise ValueError("--input is required")
        if self.bank is None and self.probe is None:
            raise ValueError("neither --bank nor --probe is given: at least one has to be judged")
        if self.bank is None and not self.compare_bank and "ks" in self.model_fields_set:
            raise ValueError("--ks needs --bank: a probe has no neighbours")
        if self.bank is None and self.sweep_train_size:
            raise ValueError("--sweep-train-size needs --bank, whose images it takes")
        return self

    @model_validator(mode="after")
    def _aligns_by_name(self) -> Self:
        for name in ("align_size", "align_quality"):
            if name in self.model_fields_set and not self.align:
                flag = name.replace("_", "-")
                raise ValueError(f"--{flag} needs --align: without it, files are left as they are")
        return self

    @property
    def deciding(self) -> DecidingSettings:
        """The same detectors as a run has them: as many neighbours as the widest vote takes."""
        return DecidingSettings(bank=self.bank, probe=self.probe, k=max(self.ks))

    @property
    def compared_baselines(self) -> dict[str, str]:
        """Name → path or URI, in the order given."""
        return places_by_name(self.compare_baseline)
