"""A fitted probe in a few lines: what it does on images that it did not see."""

from __future__ import annotations

from typing import Any

from ufd_ray.pipeline.few_images import FEW
from ufd_ray.storage import ProbeFiles


def summary(files: ProbeFiles) -> list[str]:
    """The lines that `fit_probe` ends with."""
    details = files.details
    lines = [_recipe_line(details)]
    if validation := details["validation"]:
        lines.append(_figures_line(f"{validation['num_images']:,} held-out images", validation))
    if (validated := details["cross_validation"]) and validated["figures"]:
        found = validated["figures"]
        place = f"{found['num_images']:,} training images, by {validated['num_folds']} folds"
        lines.append(_figures_line(place, found))
        if validated["split_sources"]:
            lines.append(
                "  these sources hold all of a class's images and could not be left out, so that"
                f" nothing is known of others: {', '.join(validated['split_sources'])}"
            )
    return [
        *lines,
        *_thresholds_lines(files),
        *_calibration_lines(files),
        *_cautions(details),
    ]


def _recipe_line(details: dict[str, Any]) -> str:
    if details["recipe"] == "imported":
        return "probe imported"
    line = f"probe by {details['recipe']}"
    if details["recipe"] == "logistic":
        line += f", l2 {details['l2']:g}"
        if (validated := details["cross_validation"]) and len(validated["grid"]) > 1:
            line += " chosen by cross-validation"
    steps = len(details["training_curve"])
    return f"{line}, on {details['num_training_images']:,} images, {steps} steps"


def _figures_line(place: str, found: dict[str, Any]) -> str:
    ends = found["intervals"]

    def share(name: str) -> str:
        low, high = ends[name]
        return f"{100 * found[name]:.1f} % ({100 * low:.0f}–{100 * high:.0f})"

    return (
        f"on {place}: accuracy at 0.5 {share('accuracy')}, on real {share('accuracy_real')}, on"
        f" fake {share('accuracy_fake')}; AP {share('average_precision')}; in parentheses"
        f" {100 * ends['confidence']:.0f} % intervals, counting {ends['counted']}"
    )


def _thresholds_lines(files: ProbeFiles) -> list[str]:
    judged = files.details["judged"]
    known = [
        f"{name.replace('_', '-')} {value:.4g}"
        for name, value in files.thresholds.items()
        if value is not None
    ]
    lines = [f"thresholds: {' · '.join(known)}"]
    if files.thresholds.get("max_fpr") is not None:
        lines[0] += (
            f" (max-fpr flags at most {100 * judged['max_fpr']:g} % of further real images of these"
            f" sources, with confidence {'about ' * (judged['of'] != 'val')}"
            f"{100 * judged['confidence']:g} %)"
        )
    reasons: dict[str, list[str]] = {}
    for name, reason in judged["why_not"].items():
        reasons.setdefault(reason, []).append(name.replace("_", "-"))
    return lines + [f"  no {', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _calibration_lines(files: ProbeFiles) -> list[str]:
    judged = files.details["judged"]
    if files.calibration is None or judged["ece_after"] is None:
        return []
    return [
        f"calibration by {judged['method']}: ECE {judged['ece_before']:.3f} →"
        f" {judged['ece_after']:.3f}, Brier score {judged['brier_before']:.3f} →"
        f" {judged['brier_after']:.3f}, each image by a calibration that did not see it"
    ]


def _cautions(details: dict[str, Any]) -> list[str]:
    """What so few images cannot tell, and how more of them could judge."""
    validation, validated = details["validation"], details["cross_validation"]
    figures = validation or (validated and validated["figures"])
    if not figures:
        return ["no images of both classes to judge it on"]
    lines = []
    if figures["num_images"] <= FEW:
        low, high = figures["intervals"]["accuracy"]
        lines.append(
            f"{figures['num_images']:,} images tell an accuracy to within"
            f" {50 * (high - low):.0f} points or so: what differs by less, they do not tell apart"
        )
    if validation and validated:
        lines.append(
            f"thresholds and calibration rest on the {validation['num_images']:,} held-out images;"
            " a bank built with --val-share 0 leaves all images to fit and cross-validation"
        )
    return lines
