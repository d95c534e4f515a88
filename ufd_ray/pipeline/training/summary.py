"""What `train_baseline` says at its end."""

from __future__ import annotations

from typing import Any

from ufd_ray.pipeline.training.worker import Trained


def summary_lines(document: dict[str, Any]) -> list[str]:
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


def lines_of_failures(counts: dict[str, Any], trained: Trained, allowed: float) -> list[str]:
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
    validated = trained.validated
    for when, num_failed, num_images in (
        (f"in epoch {worst['epoch']:.0f}", worst["num_failed"], worst["num_images"]),
        ("when the network was judged", validated.num_failed, validated.num_images),
    ):
        if num_failed / num_images > allowed:
            lines.append(
                f"{when}, {num_failed:,.0f} of {num_images:,.0f} images could not be read: that is"
                f" more than --max-error-rate {allowed:g} allows: exit status 3"
            )
    return lines
