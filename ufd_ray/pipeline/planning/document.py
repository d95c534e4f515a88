"""The plan's file: what it is for, what was measured, what it came to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ufd_ray import __version__
from ufd_ray.encoders import EncoderIdentity
from ufd_ray.errors import SettingsError
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.settings import PlanSettings, ScoreSettings
from ufd_ray.sizing import Estimate, Machines, Measured, Prices
from ufd_ray.storage import (
    StorageOptions,
    describe_differences,
    read_document,
    utc_now,
    write_document,
)

_SAME = ("input", "include", "exclude", "image_column", "k", "keep_embeddings")


def about(
    settings: PlanSettings | ScoreSettings,
    identity: EncoderIdentity,
    plan: EncoderPlan,
    detectors: Detectors | None,
) -> dict[str, Any]:
    """All that what a run takes depends on, but machines and the number of images.

    Args:
        settings: of the plan, or of the run.
        identity: of the encoder.
        plan: where and in which precision it runs.
        detectors: what decides; None: nothing does.
    """
    contents = detectors.contents() if detectors else {}
    return {
        **{name: getattr(settings, name) for name in _SAME},
        "encoder": f"{identity.spec} ({identity.encoder_id})",
        "precision": plan.precision,
        "device": plan.device,
        "bank_content": contents.get("bank_content"),
        "probe_content": contents.get("probe_content"),
    }


def as_document(
    settings: PlanSettings,
    subject: dict[str, Any],
    measured: Measured,
    machines: Machines,
    prices: Prices,
    found: Estimate,
    assumptions: list[str],
) -> dict[str, Any]:
    """The plan as JSON has it; `subject` is what `about` gives."""
    return {
        "created_at": utc_now(),
        "version": __version__,
        "about": subject,
        "settings": settings.model_dump(mode="json"),
        "measured": asdict(measured),
        "machines": asdict(machines),
        "prices": asdict(prices),
        "assumptions": assumptions,
        "estimate": {
            **asdict(found),
            "bottleneck": found.bottleneck,
            "once_s": found.once_s,
            "each_s": found.each_s,
            "predicted_s": found.predicted_s,
        },
    }


def folder_and_name(uri: str) -> tuple[str, str]:
    """A file's folder and its name."""
    folder, slash, name = uri.rpartition("/")
    return (folder or slash or "."), name


def write_plan(uri: str, content: dict[str, Any], storage: StorageOptions) -> None:
    """Write the plan.

    Raises:
        StorageError: it cannot be written.
    """
    write_document(*folder_and_name(uri), content, storage)


def read_plan(uri: str, now: dict[str, Any], storage: StorageOptions) -> dict[str, Any]:
    """Read a plan for a run.

    Args:
        uri: where it lies.
        now: what `about` says of the run.
        storage: how storage is reached.

    Raises:
        SettingsError: it is not there, is no plan, or is one for other settings.
    """
    content = read_document(*folder_and_name(uri), f"--plan {uri}", storage)
    if not {"about", "machines", "estimate"} <= content.keys():
        raise SettingsError(f"--plan {uri}: is no plan; jobs/plan.py --output writes one")
    if differences := describe_differences(content["about"], now):
        raise SettingsError(
            f"--plan {uri} is for a run with other settings: {differences}; plan anew, or leave"
            " --plan out"
        )
    return content
