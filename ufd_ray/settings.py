"""The settings of every job: frozen, validated, each with its unit and default in one place.

A field's name with dashes is its flag, as it stands its key in a `--config` file.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from ufd_ray.redaction import find_secret

Device = Literal["cuda", "cpu"]
Precision = Literal["fp32", "fp16", "bf16"]
PreprocessMode = Literal["crop", "resize"]
"""`crop`: centre crop at the input size, no resize (the paper's). `resize`: shorter side first."""


def _is_a_place(place: str) -> str:
    if not place:
        raise ValueError("empty; expected a path or URI")
    if secret := find_secret(place):
        raise ValueError(f"{secret} in a URI ends up in records; give it to the environment")
    return place


# Not `min_length`, for which pydantic wants UTF-8: a path may be any bytes.
Place = Annotated[str, AfterValidator(_is_a_place)]
"""A path or URI without credentials. Never empty: an unset shell variable is no place."""

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""A run's name is one plain folder name, whatever the storage."""

RunId = Annotated[str, Field(pattern=RUN_NAME)]


class JobSettings(BaseModel):
    """What every job knows."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
    )

    changes_no_row: ClassVar[frozenset[str]] = frozenset(
        {"device", "batch_size", "num_encoders", "dry_run", "max_error_rate", "run_id", "output"}
        | {"fetch_timeout_s", "rows_per_file", "weights", "progress_s", "num_workers", "lease_s"}
        | {"fetch_attempts", "reuse_embeddings"}
    )
    """Settings that may differ between two submissions of what is the same work."""

    s3_endpoint: str | None = Field(
        None, description="URL of an S3 server; without it, what the AWS environment says"
    )

    @field_validator("s3_endpoint")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://default")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no http:// or https:// URL")
        if parts.username or parts.password:
            raise ValueError("credentials in a URL end up in records; give them to the environment")
        return url

    def fingerprint(self) -> dict[str, Any]:
        """The settings that decide what comes out, for comparing two submissions."""
        return self.model_dump(mode="json", by_alias=True, exclude=set(self.changes_no_row))


class ImageSettings(JobSettings):
    """Which images, how they are read, and what turns them into embeddings."""

    input: list[Place] = Field(
        min_length=1,
        description="prefix or folder of images, a manifest (.parquet, .csv, .jsonl, .txt), a .tar,"
        " a range of them (b/{00000..00127}.tar), Parquet with image bytes, or the manifest.json of"
        " an S3 Inventory; repeatable",
    )
    include: list[str] = Field(
        [],
        description="only names below the prefix, in the tar or inventory that match this glob;"
        " repeatable",
    )
    exclude: list[str] = Field([], description="none of the names that match this glob; repeatable")
    image_column: str | None = Field(
        None, description="column of image bytes in Parquet, where there are several"
    )
    limit: int | None = Field(
        None, ge=1, description="only the first so many images of the listing"
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
    max_error_rate: float = Field(
        0.1, ge=0, le=1, description="share of failed images above which the exit status is 3"
    )
    dry_run: bool = Field(
        False, description="list, count, check every setting, read one image; leave nothing behind"
    )
    weights: Place | None = Field(
        None,
        description="file or URI with the encoder's weights, where machines reach no model hub",
    )
    device: Literal["auto", Device] = Field(
        "auto", description="where the encoder runs; auto: CUDA when there is any"
    )
    precision: Literal["auto", Precision] = Field(
        "auto", description="in which the encoder computes; auto: fp32 on CPUs, fp16 on GPUs"
    )
    batch_size: int = Field(64, ge=1, le=4096, description="images that the encoder takes at once")
    num_encoders: int | None = Field(
        None, ge=1, description="encoder workers; without it, one a GPU, or one a CPU node"
    )
    progress_s: float = Field(10.0, gt=0, description="seconds between two lines of progress")

    @field_validator("input", "include", "exclude", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


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


class ScoreSettings(ImageSettings):
    """Score images with a feature bank, a probe, or both: one row an image, as Parquet."""

    # What bank and probe hold is compared instead, wherever they lie.
    changes_no_row: ClassVar[frozenset[str]] = JobSettings.changes_no_row | {"bank", "probe"}

    input: list[Place] = Field(
        [], description=ImageSettings.model_fields["input"].description or ""
    )
    from_run: list[RunId] = Field(
        [],
        description="instead of --input: published run of ROOT, whose images are scored again from"
        " their kept embeddings; repeatable",
    )
    retry_failed: RunId | None = Field(
        None,
        description="instead of --input: published run of ROOT, whose images with transient errors"
        " are tried again",
    )
    output: Place = Field(description="root folder or URI; the run is written to ROOT/runs/RUN_ID")
    bank: Place | None = Field(None, description="folder or URI of a feature bank")
    probe: Place | None = Field(None, description="folder or URI of a probe")
    run_id: RunId | None = Field(
        None,
        description="the run's name: given again, that run goes on; none: made from the time",
    )
    lease_s: float = Field(
        60.0,
        gt=0,
        description="seconds without a sign of life after which a run's driver counts as dead",
    )
    reuse_embeddings: bool = Field(
        True, description="take kept embeddings of ROOT's runs for bytes that were seen before"
    )
    incremental: bool = Field(
        False, description="only images that are new or changed since ROOT's published runs"
    )
    k: int = Field(9, ge=1, le=100, description="neighbours that vote, and are kept as evidence")
    decide_by: Literal["probe", "neighbors"] | None = Field(
        None, description="whose word the verdict is; without it, the probe's if there is one"
    )
    keep_embeddings: bool = Field(False, description="publish the embeddings beside the scores")
    rows_per_file: int = Field(100_000, ge=1, description="rows in one published file")

    @field_validator("from_run", mode="before")
    @classmethod
    def _one_run_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_images(self) -> Self:
        given = [
            "--" + name.replace("_", "-")
            for name in ("input", "from_run", "retry_failed")
            if getattr(self, name)
        ]
        if not given:
            raise ValueError("--input is required (or --from-run, or --retry-failed)")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other: give one of them")
        if self.incremental and not self.input:
            raise ValueError(
                "--incremental needs --input: it leaves out what has not changed there"
            )
        return self

    @model_validator(mode="after")
    def _has_a_detector(self) -> Self:
        if self.bank is None and self.probe is None:
            raise ValueError("neither --bank nor --probe is given: at least one has to decide")
        if self.decide_by == "probe" and self.probe is None:
            raise ValueError("--decide-by probe needs --probe")
        if self.decide_by == "neighbors" and self.bank is None:
            raise ValueError("--decide-by neighbors needs --bank")
        return self

    @property
    def decider(self) -> Literal["probe", "neighbors"]:
        """The detector whose word the verdict is."""
        return self.decide_by or ("probe" if self.probe else "neighbors")


class CurrentSettings(JobSettings):
    """Write the newest row of every image, over all published runs, to ROOT/current."""

    output: Place = Field(description="root folder or URI, as the runs had it")
    rows_per_file: int = Field(100_000, ge=1, description="rows in one file")


class FitProbeSettings(JobSettings):
    """Fit a linear probe on a feature bank, or import published weights."""

    bank: Place = Field(description="folder or URI of the feature bank")
    output: Place = Field(description="folder or URI of the new probe")
    recipe: Literal["logistic", "paper"] = Field(
        "logistic",
        description="logistic: L2-regularised, solved to its optimum; paper: AdamW with"
        " the released schedule",
    )
    l2: float = Field(
        0.1,
        gt=0,
        description="regularisation of logistic, as scikit-learn's C: smaller is stronger",
    )
    seed: int = Field(0, ge=0, description="draws initial weights and order of the paper's recipe")
    num_workers: int = Field(2, ge=1, description="data-parallel workers")
    import_: Place | None = Field(
        None, alias="import", description="a .pth file of the paper's authors instead of fitting"
    )


class DemoSettings(JobSettings):
    """See the whole path on images that are made here: bank, probe, crawl, scores, table."""

    output: Place = Field("demo-output", description="folder for everything that the demo makes")
    num_crops: int = Field(
        200, ge=40, le=2000, description="real crops for the bank, and as many fakes"
    )
    seed: int = Field(0, ge=0, description="draws the crops")
