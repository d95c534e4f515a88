"""A plan beside the run that it was for."""

from __future__ import annotations

from typing import Any


def compare(
    planned: dict[str, Any], name: str, num_images: int, actual_s: float, cpus: int, gpus: int
) -> dict[str, Any]:
    """What was predicted, for as many images as there were, beside what it took.

    Args:
        planned: what the plan's JSON holds.
        name: of its file.
        num_images: that this attempt scored.
        actual_s: seconds that it took.
        cpus: that the cluster had when it began.
        gpus: likewise.

    Returns:
        As `run.json` has it: `ratio` is actual / predicted; `same_machines` says whether the
        cluster had the CPUs and GPUs that the plan was for.
    """
    machines, estimate = planned["machines"], planned["estimate"]
    predicted_s = estimate["once_s"] + num_images * estimate["each_s"]
    cpus_planned = machines["number"] * machines["cpus"]
    gpus_planned = machines["number"] * machines["gpus"]
    return {
        "plan": name,
        "predicted_s": round(predicted_s, 3),
        "actual_s": round(actual_s, 3),
        "ratio": round(actual_s / predicted_s, 3) if predicted_s > 0 else None,
        "images": num_images,
        "images_planned": estimate["num_images"],
        "bottleneck": estimate["bottleneck"],
        "cpus": cpus,
        "cpus_planned": cpus_planned,
        "gpus": gpus,
        "gpus_planned": gpus_planned,
        "same_machines": (cpus, gpus) == (cpus_planned, gpus_planned),
    }
