"""Settings of `plan`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ufd_ray.settings.deciding import DecidingSettings
from ufd_ray.settings.images import PreprocessMode, ReadingSettings
from ufd_ray.settings.places import Place


class PlanSettings(DecidingSettings, ReadingSettings):
    """Say what a run will take, before it is paid for.

    Each stage is measured in this process on a sample of the images; then it is reckoned what all
    of them take on the machines that are named.
    """

    encoder: str | None = Field(
        None,
        description="instead of --bank and --probe, for a bank that is still to be built: the"
        " encoder, as build_bank takes it; nothing is detected then",
    )
    preprocess: PreprocessMode = Field(
        "crop", description="of --encoder, as build_bank takes it; bank and probe remember theirs"
    )
    keep_embeddings: bool = Field(
        False, description="the run is to publish the embeddings beside the scores"
    )
    output: Place | None = Field(
        None, description="file or URI of the plan, as JSON; score --plan takes it"
    )
    sample: int = Field(
        300, ge=1, le=100_000, description="images that are measured, from all over the listing"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="draws the sample")
    num_images: int | None = Field(
        None, ge=1, description="images of the run; without it, those that are listed"
    )
    machines: int = Field(1, ge=1, description="machines of the cluster, all alike")
    cpus_per_machine: int | None = Field(
        None, ge=1, description="CPUs of each; without it, as many as here"
    )
    gpus_per_machine: int = Field(
        0, ge=0, description="GPUs of each, on which the encoders then run; 0: they run on CPUs"
    )
    gpu_images_per_s: float | None = Field(
        None,
        gt=0,
        description="images a second that one GPU encodes; without it, what a GPU here does",
    )
    network_mb_per_s: float | None = Field(
        None,
        gt=0,
        description="megabytes (10^6 bytes) a second that a machine reads from the store; without"
        " it, the network is no bound",
    )
    startup_s: float | None = Field(
        None,
        ge=0,
        description="seconds until the first images are encoded; without it, made up from what"
        " imports and model take here",
    )
    price_machine_hour: float | None = Field(None, ge=0, description="of one machine for one hour")
    price_1000_gets: float | None = Field(None, ge=0, description="of 1,000 GET requests")
    price_1000_lists: float | None = Field(
        None, ge=0, description="of 1,000 LIST, PUT or COPY requests, which cost the same"
    )
    price_gb_egress: float | None = Field(
        None, ge=0, description="of reading one GB (10^9 bytes); within a region mostly 0"
    )

    @model_validator(mode="after")
    def _has_a_detector(self) -> Self:
        if self.encoder is None:
            if self.bank is None and self.probe is None:
                raise ValueError("neither --bank nor --probe is given, nor --encoder")
            if "preprocess" in self.model_fields_set:
                raise ValueError("--preprocess needs --encoder: bank and probe remember theirs")
            return self
        if self.bank is not None or self.probe is not None:
            raise ValueError("--encoder and --bank or --probe exclude each other: they name theirs")
        return self

    @model_validator(mode="after")
    def _has_gpus_for_their_rate(self) -> Self:
        if self.gpu_images_per_s is not None and not self.gpus_per_machine:
            raise ValueError("--gpu-images-per-s needs --gpus-per-machine")
        return self
