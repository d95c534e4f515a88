"""A trained network → a baseline on storage: what is known of it, and the document last of all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from ufd_ray import __version__
from ufd_ray.baselines import Baseline
from ufd_ray.detectors import find_thresholds
from ufd_ray.encoders import EncoderSpec
from ufd_ray.evaluation import ScoreColumn, judge
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.training.judging import Judged
from ufd_ray.pipeline.training.survey import Surveyed
from ufd_ray.pipeline.training.worker import Trained
from ufd_ray.report import draw_curve
from ufd_ray.schema import FAKE, REAL
from ufd_ray.settings import TrainBaselineSettings
from ufd_ray.storage import (
    BASELINE,
    StorageOptions,
    join_uri,
    utc_now,
    write_document,
    write_object,
    write_table,
)

DEFAULT_THRESHOLD = 0.5
_VERSIONS = ("torch", "torchvision", "timm", "open_clip_torch", "pillow", "numpy")


@dataclass(frozen=True)
class Origin:
    """What was trained, and how.

    Attributes:
        baseline: which.
        spec: whose weights it started from; None: it started from scratch.
        device: on which it was trained.
        precision: in which products were made.
        fingerprint: the settings that decide what comes out.
    """

    baseline: Baseline
    spec: EncoderSpec | None
    device: str
    precision: str
    fingerprint: dict[str, Any]


def publish(
    settings: TrainBaselineSettings,
    origin: Origin,
    surveyed: Surveyed,
    trained: Trained,
    storage: StorageOptions,
) -> Outcome:
    """Write all that belongs to the network that lies there already, and say what came out.

    Args:
        settings: the job's.
        origin: what was trained.
        surveyed: on which images.
        trained: what came of it.
        storage: how it is reached.

    Raises:
        StorageError: a file cannot be written.
    """
    baseline, output = origin.baseline, settings.output
    rejects = write_table(output, "rejects.parquet", surveyed.rejected, storage)
    picture = draw_curve(trained.curve, title=f"{baseline.name}, {baseline.arch}")
    write_object(join_uri(output, "curve.png"), picture, storage)
    counts = surveyed.counts
    exceeded = lines_of_failed(counts, trained, settings.max_error_rate)
    outcome = Outcome.PUBLISHED_WITH_ERRORS if exceeded else Outcome.PUBLISHED
    thresholds, validation = settle(trained.judged, settings.seed)
    document = {
        "outcome": outcome.word,
        "trained_at": utc_now(),
        "name": baseline.name,
        "arch": baseline.arch,
        "options": dict(baseline.options),
        "is_published": baseline.is_published,
        "starts_from": None if origin.spec is None else str(origin.spec),
        "pixels": {
            "train": asdict(baseline.train),
            "validation": asdict(baseline.validation),
            "test": asdict(baseline.test),
        },
        "recipe": asdict(baseline.recipe),
        "seed": settings.seed,
        "device": origin.device,
        "precision": origin.precision,
        "counts": counts,
        "training_curve": trained.curve,
        "training_resumed_at": trained.resumed_at,
        "validation": validation,
        "num_failed_in_validation": trained.judged.num_failed,
        "thresholds": thresholds,
        "network": trained.network,
        "rejects": rejects.to_dict(),
        "versions": {"ufd-ray": __version__} | {name: version(name) for name in _VERSIONS},
        "settings": settings.model_dump(mode="json"),
        "fingerprint": origin.fingerprint,
    }
    write_document(output, BASELINE, document, storage)
    print(*lines_of(document), *exceeded, sep="\n")
    print(f"baseline: {output}")
    return outcome


def settle(judged: Judged, seed: int) -> tuple[dict[str, float | None], dict[str, Any] | None]:
    """Thresholds, and figures at them, from images that were not trained on.

    Args:
        judged: what the network said of them.
        seed: of the draws for intervals.

    Returns:
        `default` and `tuned` (None: none does better than guessing, or a class is missing); figures
        by name, of them `num_real` and `num_fake`; None where a class is missing.
    """
    labels, scores = judged.labels, judged.scores
    num_real, num_fake = (int(np.count_nonzero(labels == label)) for label in (REAL, FAKE))
    thresholds: dict[str, float | None] = {"default": DEFAULT_THRESHOLD, "tuned": None}
    if not (num_real and num_fake):
        return thresholds, None
    found = find_thresholds(
        scores, labels, default=DEFAULT_THRESHOLD, calibrated=None, max_fpr=0.5, confidence=0.5
    )
    thresholds["tuned"] = found.tuned
    column = ScoreColumn("baseline", DEFAULT_THRESHOLD, found.tuned)
    figures = {one.metric: one.value for one in judge(labels, scores, column, seed=seed)}
    return thresholds, {"num_real": num_real, "num_fake": num_fake, **figures}


def lines_of(document: dict[str, Any]) -> list[str]:
    """What is said at the end of what `baseline.json` says."""
    counts, curve, found = (document[name] for name in ("counts", "training_curve", "validation"))
    num_train, num_val = (sum(counts[split]["label"].values()) for split in ("train", "val"))
    lines = [f"trained on {num_train:,} images in {len(curve):,} epochs, {num_val:,} validate"]
    if found:
        lines.append(
            f"on validation images: AP {100 * found['average_precision']:.2f}, accuracy at 0.5"
            f" {100 * found['accuracy']:.2f}"
        )
    lost = int(sum(entry["num_failed"] for entry in curve)) + document["num_failed_in_validation"]
    if lost:
        lines.append(f"warning: {lost:,} times an image could not be read during training")
    if counts["failed"]:
        codes = ", ".join(f"{n:,} {code}" for code, n in sorted(counts["by_error_code"].items()))
        lines.append(f"{counts['failed']:,} images failed: {codes}; rejects.parquet says why")
    return lines


def lines_of_failed(counts: dict[str, Any], trained: Trained, allowed: float) -> list[str]:
    """Why the exit status is 3; nothing where it is not.

    Args:
        counts: of `Surveyed`.
        trained: with an epoch at least.
        allowed: `--max-error-rate`.
    """
    lines = []
    if counts["failed"] / counts["images"] > allowed:
        lines.append(f"that is more than --max-error-rate {allowed:g} allows: exit status 3")
    worst = max(trained.curve, key=lambda entry: entry["num_failed"] / entry["num_images"])
    judged = trained.judged
    for when, num_failed, num_images in (
        (f"in epoch {worst['epoch']:.0f}", worst["num_failed"], worst["num_images"]),
        ("when the network was judged", judged.num_failed, judged.num_images),
    ):
        if num_failed / num_images > allowed:
            lines.append(
                f"{when}, {num_failed:,.0f} of {num_images:,.0f} images could not be read: that is"
                f" more than --max-error-rate {allowed:g} allows: exit status 3"
            )
    return lines
