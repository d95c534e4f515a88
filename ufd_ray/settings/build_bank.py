"""Settings of `build_bank`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ufd_ray.settings.images import ImageSettings, PreprocessMode
from ufd_ray.settings.places import Place


class BuildBankSettings(ImageSettings):
    """Encode labelled images into a feature bank.

    Labels come from a manifest's `label` column, or from the folders `0_real` and `1_fake`.
    """

    output: Place = Field(description="folder or URI of the new bank")
    encoder: str = Field(
        "clip-vit-l14",
        description="ARCH:WEIGHTS, or clip-vit-l14, clip-rn50, imagenet-rn50,"
        " imagenet-vit-b16, lite0",
    )
    preprocess: PreprocessMode = Field(
        "crop", description="crop: centre crop, no resize (the paper's); resize: shorter side first"
    )
    dtype: Literal["float32", "float16"] = Field(
        "float32", description="precision of the stored embeddings"
    )
    val_share: float = Field(
        0.1, ge=0, lt=1, description="share of the images without a split that validate, 0–1"
    )
    rows_per_file: int = Field(50_000, ge=1, description="images in one shard")
