"""Settings of `build_bank`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ufd_ray.settings.images import ImageSettings, PreprocessMode
from ufd_ray.settings.places import Place
from ufd_ray.settings.searching import SearchSettings
from ufd_ray.settings.splitting import SplitSettings


class BuildBankSettings(SplitSettings, SearchSettings, ImageSettings):
    """Encode labelled images into a feature bank.

    Labels come from a manifest's `label` column, or from the folders `0_real` and `1_fake`.
    """

    changes_no_row: ClassVar[frozenset[str]] = ImageSettings.changes_no_row | {
        *("audit", "out_of_bank_quantile", "out_of_bank_rows")
    }

    output: Place = Field(description="folder or URI of the new bank")
    encoder: str = Field(
        "clip-vit-l14",
        description="ARCH:WEIGHTS, or clip-vit-l14, clip-rn50, imagenet-rn50, imagenet-vit-b16,"
        " pe-core-l14, metaclip2-h14, dinov3-l16, lite0",
    )
    preprocess: PreprocessMode = Field(
        "crop", description="crop: centre crop, no resize (the paper's); resize: shorter side first"
    )
    dtype: Literal["float32", "float16"] = Field(
        "float32", description="precision of the stored embeddings"
    )
    views: int = Field(
        0,
        ge=0,
        le=64,
        description="augmented views of each training image beside the image itself, by the paper's"
        " training transform; images that validate get one",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="draws what the views are like, and rows for --out-of-bank-rows",
    )
    rows_per_file: int = Field(
        50_000, ge=1, description="rows in one shard, each an image or a view of it"
    )
    out_of_bank_quantile: float = Field(
        0.99,
        gt=0,
        le=1,
        description="share of images like the bank's that are to count as within it, 0–1; beyond"
        " the distance that this comes to an image is out of it; also of a bank that has been built"
        " already",
    )
    out_of_bank_rows: int = Field(
        10_000,
        ge=100,
        description="images of the bank, about, that are searched in all the others to find that"
        " distance, drawn by --seed; with --audit all are",
    )
    audit: bool = Field(
        False,
        description="search every image in all the others, and write audit.parquet: duplicates and"
        " suspect labels, the worst first; also of a bank that has been built already",
    )
