"""Thresholds and a calibration in a few lines, for whoever has just had them made."""

from __future__ import annotations

from typing import Any

from ufd_ray.evaluation import Settled

_WHOSE = {"tuned": "tuned", "max_fpr": "max-fpr", "calibrated": "calibrated"}


def calibration_lines(settled: Settled, values: str) -> list[str]:
    """What was found, and what could not be.

    Args:
        settled: what was found.
        values: what was calibrated: `logit` or `margin`.
    """
    details, why_not = settled.details, settled.details["why_not"]
    lines = [
        f"judged by {details['num_real']:,} real and {details['num_fake']:,} fake images"
        f" (split {details['of']})",
        f"threshold default: {settled.thresholds.default:.6g}",
    ]
    for name, value in settled.thresholds.to_dict().items():
        if name == "default":
            continue
        shown = _WHOSE[name]
        if value is None:
            lines.append(f"threshold {shown}: none, since {why_not[name]}")
        else:
            lines.append(f"threshold {shown}: {value:.6g}{_meaning(name, details)}")
    if settled.calibration is not None:
        found = settled.calibration
        lines.append(
            f"calibration by {found.method}: probability = sigmoid({found.scale:.6g} · {values}"
            f" {'+' if found.shift >= 0 else '−'} {abs(found.shift):.6g})"
        )
        lines.append(_quality(details))
    return lines


def _meaning(name: str, details: dict[str, Any]) -> str:
    if name == "tuned" and details["accuracy_tuned"] is not None:
        return f" (accuracy {details['accuracy_tuned']:.1%}, cross-fitted)"
    if name == "max_fpr":
        return (
            f" (at most {details['max_fpr']:g} of further real images of these sources flagged,"
            f" with confidence {details['confidence']:g}; of these fakes"
            f" {details['share_of_fakes_flagged']:.1%})"
        )
    return ""


def _quality(details: dict[str, Any]) -> str:
    parts = []
    for name, what in (("ece", "calibration error (ECE)"), ("brier", "Brier score")):
        before, after = (details[f"{name}_{when}"] for when in ("before", "after"))
        shown = [f"{n:.4f}" for n in (before, after) if n is not None]
        if shown:
            parts.append(f"{what} {' → '.join(shown)}")
    why_not = details["why_not"].get("after")
    if why_not is not None:
        what = "after it" if parts else "its ECE and Brier score"
        parts.append(f"{what}: not known, since {why_not}")
    else:
        parts.append("cross-fitted")
    return ", ".join(parts)
