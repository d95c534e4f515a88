"""Settings of the jobs that read files of images, whatever becomes of them."""

from __future__ import annotations

from pydantic import Field

from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place
from ufd_ray.settings.several import Several


class InputSettings(JobSettings):
    """Which images, and how they are fetched and decoded."""

    input: Several[Place] = Field(
        min_length=1,
        description="prefix or folder of images, a manifest (.parquet, .csv, .jsonl, .txt), a .tar,"
        " a range of them (b/{00000..00127}.tar), Parquet with image bytes, or the manifest.json of"
        " an S3 Inventory; repeatable",
    )
    include: Several[str] = Field(
        [],
        description="only names below the prefix, in the tar or inventory that match this glob;"
        " repeatable",
    )
    exclude: Several[str] = Field(
        [], description="none of the names that match this glob; repeatable"
    )
    image_column: str | None = Field(
        None, description="column of image bytes in Parquet, where there are several"
    )
    limit: int | None = Field(
        None,
        ge=1,
        description="only the first so many images; with --incremental, of those that are new",
    )
    max_bytes: int = Field(
        64 * 2**20, ge=1, description="largest file that is read, in bytes; larger ones: error rows"
    )
    max_pixels: int = Field(
        100_000_000, ge=1, description="largest width × height that is decoded, in pixels"
    )
    decode_timeout_s: float = Field(
        20.0, gt=0, description="longest time for decoding one image, in seconds"
    )
    decode_memory_mb: int = Field(
        2048, ge=256, description="address space of the process that decodes, in MiB"
    )
    fetch_timeout_s: float = Field(
        60.0, gt=0, description="longest time for one try at an image, in seconds"
    )
    fetch_attempts: int = Field(4, ge=1, description="tries for one image before its error stands")
    allow_http: bool = Field(
        False, description="read images that a manifest names by http:// or https:// as well"
    )
