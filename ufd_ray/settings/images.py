"""Settings of the jobs that read images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ufd_ray.settings.inputs import InputSettings
from ufd_ray.settings.places import Place

Device = Literal["cuda", "cpu"]
Precision = Literal["fp32", "fp16", "bf16"]
PreprocessMode = Literal["crop", "resize"]
"""`crop`: centre crop at the input size, no resize (the paper's). `resize`: shorter side first."""


class ReadingSettings(InputSettings):
    """Which images, how they are read, and what turns them into embeddings."""

    weights: Place | None = Field(
        None,
        description="file or URI with the encoder's weights (.safetensors, .pt, .pth, .bin), where"
        " machines reach no model hub",
    )
    precision: Literal["auto", Precision] = Field(
        "auto",
        description="in which the encoder computes; auto: fp16 on GPUs, on CPUs with AMX or"
        " AVX512-BF16 bf16 where that keeps enough (ViT, ResNet), else fp32",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="images that the encoder takes at once; without it, a few a core on CPUs, and"
        " on a GPU what a short trial finds fastest",
    )
    num_encoders: int | None = Field(
        None,
        ge=1,
        description="most encoder workers; without it, one a GPU, or one a CPU node, as they come",
    )


class ImageSettings(ReadingSettings):
    """The images of a job, and how it goes over them."""

    max_error_rate: float = Field(
        0.1, ge=0, le=1, description="share of failed images above which the exit status is 3"
    )
    dry_run: bool = Field(
        False, description="list, count, check every setting, read one image; leave nothing behind"
    )
    device: Literal["auto", Device] = Field(
        "auto", description="where the encoder runs; auto: CUDA when there is any"
    )
    gpus_per_encoder: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of a GPU that an encoder worker takes from Ray; without it, 0 on CPUs, 1"
        " on CUDA, and 0.9 there beside a search on GPUs",
    )
    wait_for_gpus_s: float = Field(
        1800.0,
        gt=0,
        description="longest wait for a machine on which an encoder fits, in seconds",
    )
    progress_s: float = Field(10.0, gt=0, description="seconds between two lines of progress")
