"""Settings of `train_baseline`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from ufd_ray.settings.images import Device
from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.places import Place
from ufd_ray.settings.several import Several
from ufd_ray.settings.splitting import SplitSettings


def _is_an_option(given: str) -> str:
    name, equals, word = given.partition("=")
    if not (name and equals and word):
        raise ValueError("expected NAME=WORD")
    return given


class TrainBaselineSettings(SplitSettings):
    """Train one of the paper's other detectors on labelled images, to hold ours against.

    Labels come from a manifest's `label` column, or from the folders `0_real` and `1_fake`.
    """

    # Images of a step, and the weights to start from, decide what comes out.
    changes_no_row: ClassVar[frozenset[str]] = JobSettings.changes_no_row - {
        *("batch_size", "weights")
    }

    baseline: str = Field(
        description="resnet50-blur-jpeg-0.1, resnet50-blur-jpeg-0.5, clip-vit-l14-tuned,"
        " patch-resnet50-layer1, patch-xception-block2, co-occurrence or spectrum"
    )
    arch: str | None = Field(
        None, description="its architecture, where it is not to be the published one"
    )
    option: Several[Annotated[str, AfterValidator(_is_an_option)]] = Field(
        [], description="NAME=WORD, what else is not to be as published; repeatable"
    )
    weights: Place | None = Field(
        None,
        description="what its network starts from: a file or URI, a tag, or random:SEED; without"
        " it, the published tag",
    )
    output: Place = Field(description="folder or URI of the trained baseline")
    epochs: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="passes over the images after which it ends at the latest; without it, as"
        " published",
    )
    learning_rate: float | None = Field(
        None, gt=0, le=10, description="at the start; without it, as published"
    )
    batch_size: int | None = Field(
        None,
        ge=2,
        le=65_536,
        description="images of a step, over all workers; without it, as published",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="draws the network's new numbers, the order of images and what is done to them",
    )
    device: Literal["auto", Device] = Field(
        "auto", description="where the network is trained; auto: CUDA when there is any"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="in which it computes, its weights being kept in fp32; auto: bf16 on GPUs,"
        " fp32 on CPUs",
    )
    num_workers: int | None = Field(
        None,
        ge=1,
        description="data-parallel workers; without it, one a GPU, or one a CPU machine, and one in"
        " all for a network with batch norm",
    )
    max_failures: int = Field(3, ge=0, description="lost workers after which training gives up")
    wait_for_gpus_s: float = Field(
        1800.0,
        gt=0,
        description="longest wait for machines on which the workers fit, in seconds",
    )
    max_error_rate: float = Field(
        0.1, ge=0, le=1, description="share of failed images above which the exit status is 3"
    )
    dry_run: bool = Field(
        False, description="list, count, check every setting, read one image; leave nothing behind"
    )
    progress_s: float = Field(10.0, gt=0, description="seconds between two lines of progress")

    @property
    def options(self) -> dict[str, str]:
        """Name → word of what is not to be as published; of a name given twice, the last word."""
        pairs = (one.partition("=") for one in self.option)
        return {name: word for name, _, word in pairs}
