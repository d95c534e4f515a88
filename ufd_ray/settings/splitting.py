"""Settings of the jobs that learn from some of their images, and validate on the others."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ufd_ray.settings.inputs import InputSettings
from ufd_ray.settings.places import Place
from ufd_ray.settings.several import Several


class SplitSettings(InputSettings):
    """Which labelled images validate."""

    val_share: float = Field(
        0.1, ge=0, lt=1, description="share of the images without a split that validate, 0–1"
    )
    val_input: Several[Place] = Field(
        [],
        description="labelled images that validate, named like --input, whose images then all train"
        " but for those that a `split` column says validate; repeatable",
    )

    @model_validator(mode="after")
    def _one_word_on_what_validates(self) -> Self:
        if not self.val_input:
            return self
        if self.val_share and "val_share" in self.model_fields_set:
            raise ValueError(
                "--val-input and --val-share exclude each other: name the images that validate, or"
                " have a share of --input drawn"
            )
        if self.limit is not None:
            raise ValueError(
                "--limit cannot be had with --val-input, since it would not say how many of each:"
                " name fewer images, in manifests or by --include"
            )
        return self

    @property
    def share_that_validates(self) -> float:
        """Share of the images without a split that validate, 0–1; none beside `--val-input`."""
        return 0.0 if self.val_input else self.val_share
