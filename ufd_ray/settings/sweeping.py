"""Settings of an evaluation's sweeps: what is varied, beside the detectors as they are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.named import each_name_once, is_named, places_by_name
from ufd_ray.settings.several import Several

OWN = "own"
"""What the evaluation's own bank is called beside others."""
_VALUES = {"sweep_qualities": "sweep_jpeg", "sweep_sigmas": "sweep_blur"}


def _is_even(size: int) -> int:
    if size % 2:
        raise ValueError("expected an even number: half of the images are real, half are fake")
    return size


def _is_another(given: str) -> str:
    if given.partition("=")[0] == OWN:
        raise ValueError(f"{OWN} is what the evaluation's own bank is called; choose another name")
    return given


_NamedPlace = Annotated[str, AfterValidator(is_named)]
_AGAIN = {
    "compare_bank": "two banks are called {}; give each its own name",
    "compare_weights": "there are two for the bank {}; give one",
}


class SweepSettings(JobSettings):
    """What is varied: each a table and a figure."""

    # Of other banks, names and what they hold are compared instead, wherever they lie.
    changes_no_row: ClassVar[frozenset[str]] = JobSettings.changes_no_row | {
        "compare_bank",
        "compare_weights",
    }

    sweep_jpeg: bool = Field(
        False, description="judge all images as JPEGs of falling quality as well (robustness)"
    )
    sweep_qualities: Several[Annotated[int, Field(ge=1, le=100)]] = Field(
        [100, 90, 80, 70, 60, 50, 40, 30],
        description="qualities of --sweep-jpeg, 1–100; repeatable",
    )
    sweep_blur: bool = Field(
        False, description="judge all images blurred more and more as well (robustness)"
    )
    sweep_sigmas: Several[Annotated[int, Field(ge=1, le=20)]] = Field(
        [1, 2, 3, 4],
        description="standard deviations of --sweep-blur, pixels, 1–20; repeatable",
    )
    sweep_preprocess: bool = Field(
        False,
        description="judge all images by the preprocessing that bank and probe were not made with"
        " as well: crop against resize",
    )
    sweep_train_size: Several[Annotated[int, Field(ge=2), AfterValidator(_is_even)]] = Field(
        [],
        description="judge neighbours and a new probe on so many of the bank's training images,"
        " half of them real, as well; repeatable",
    )
    compare_bank: Several[Annotated[_NamedPlace, AfterValidator(_is_another)]] = Field(
        [],
        description="NAME=URI of another bank, of this encoder or another one, whose neighbours and"
        " a new probe on it are judged on the same images as well; repeatable",
    )
    compare_weights: Several[_NamedPlace] = Field(
        [],
        description="NAME=URI of the file with the weights of another bank's encoder, where they do"
        " not lie where that bank says; repeatable",
    )

    @field_validator("sweep_sigmas", "sweep_train_size")
    @classmethod
    def _each_once_rising(cls, given: list[int]) -> list[int]:
        return sorted(set(given))

    @field_validator("sweep_qualities")
    @classmethod
    def _each_once_falling(cls, given: list[int]) -> list[int]:
        return sorted(set(given), reverse=True)

    @field_validator("compare_bank", "compare_weights")
    @classmethod
    def _each_name_once(cls, given: list[str], info: ValidationInfo) -> list[str]:
        return each_name_once(given, _AGAIN[info.field_name or ""])

    @model_validator(mode="after")
    def _weights_are_of_a_bank(self) -> Self:
        for name in self.compared_weights:
            if name not in self.compared_banks:
                known = ", ".join(self.compared_banks) or "there is none"
                raise ValueError(
                    f"--compare-weights {name}: no --compare-bank is called so: {known}"
                )
        return self

    @model_validator(mode="after")
    def _sweeps_by_name(self) -> Self:
        for values, flag in _VALUES.items():
            given, wanted = (name.replace("_", "-") for name in (values, flag))
            if values in self.model_fields_set and not getattr(self, flag):
                raise ValueError(f"--{given} needs --{wanted}: without it, nothing is swept")
            if getattr(self, flag) and not getattr(self, values):
                raise ValueError(f"--{wanted} needs one of --{given} at least")
        return self

    def fingerprint(self) -> dict[str, Any]:
        """As of all jobs, without the values of sweeps that nobody asks for."""
        idle = [values for values, flag in _VALUES.items() if not getattr(self, flag)]
        return {name: said for name, said in super().fingerprint().items() if name not in idle}

    @property
    def compared_banks(self) -> dict[str, str]:
        """Name → path or URI, in the order given."""
        return places_by_name(self.compare_bank)

    @property
    def compared_weights(self) -> dict[str, str]:
        """Name of another bank → path or URI of its encoder's weights."""
        return places_by_name(self.compare_weights)
