"""What became of every image, and of every set: for `evaluation.json`, and in a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ufd_ray.evaluation import Row, ScoreColumn, SetPlan, group_members
from ufd_ray.pipeline.evaluating.scores import Collected
from ufd_ray.schema import FAKE, REAL


def count_images(plan: SetPlan, collected: Collected) -> dict[str, Any]:
    """Every image once: used, left out with its set, or failed."""
    names, labels = names_and_labels(collected)
    num_used = int(plan.used(names, labels).sum())
    codes = collected.rejected["error_code"].value_counts().to_pylist()
    return {
        "images": len(labels) + len(collected.rejected),
        "used": num_used,
        "left_out": len(labels) - num_used,
        "failed": len(collected.rejected),
        "by_error_code": {entry["values"]: entry["counts"] for entry in codes},
        "in_bank": int(collected.in_bank.sum()),
    }


def describe_sets(plan: SetPlan, collected: Collected) -> dict[str, Any]:
    """Each set that was judged: its images, and whose real ones it took."""
    names, labels = names_and_labels(collected)
    found = {}
    for name, lender in plan.reals_of.items():
        rows = plan.rows(name, names, labels)
        found[name] = {
            "n_real": int(np.count_nonzero(labels[rows] == REAL)),
            "n_fake": int(np.count_nonzero(labels[rows] == FAKE)),
            "reals_of": lender,
            "failed": collected.failed[name],
            "in_bank": int(collected.in_bank[rows].sum()),
        }
    return found


def describe_groups(plan: SetPlan) -> dict[str, list[str]]:
    """The sets that each mean is over."""
    return {group: list(names) for group, names in group_members(plan.reals_of).items()}


def names_and_labels(collected: Collected) -> tuple[Any, Any]:
    """The set that each scored image lies in, (n,) of str; and its label, (n,) int8."""
    scores = collected.scores
    return np.array(scores["set"].to_pylist(), object), np.asarray(scores["label"], np.int8)


def image_line(counts: Mapping[str, Any]) -> str:
    """What became of the images."""
    return (
        f"{counts['used']:,} of {counts['images']:,} images used, {counts['left_out']:,} left out"
        f" with their sets, {counts['failed']:,} failed"
    )


def bank_lines(counts: Mapping[str, Any]) -> list[str]:
    """A warning where test images are in the bank."""
    if not counts["in_bank"]:
        return []
    return [
        f"warning: {counts['in_bank']:,} of the images are in the bank that is searched, and"
        " are their own nearest neighbours: what neighbours say of them is too good"
    ]


def detector_lines(rows: Sequence[Row], columns: Sequence[ScoreColumn]) -> list[str]:
    """What every detector comes to, on the mean of all sets."""
    means = {(row.detector, row.metric): row.value for row in rows if row.set == "mean/all"}
    lines = []
    for column in columns:
        precision, accuracy, oracle = (
            100 * means[column.name, metric]
            for metric in ("average_precision", "accuracy", "accuracy_oracle")
        )
        lines.append(
            f"{column.name}: mAP {precision:.2f}, mean accuracy {accuracy:.2f}"
            f" ({oracle:.2f} with the best threshold of each set)"
        )
    return lines
