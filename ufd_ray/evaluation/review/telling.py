"""Figures of a review in plain lines."""

from __future__ import annotations

from collections.abc import Mapping

from ufd_ray.evaluation.review.estimates import FIGURES, Estimate

_WORDS = {
    "precision": "precision (flagged images that are fake)",
    "recall": "recall (fakes that are flagged)",
    "prevalence": "prevalence (images that are fake)",
    "accuracy": "accuracy (verdicts that are right)",
    "false_positive_rate": "false positive rate (real images that are flagged)",
}


def review_lines(found: Mapping[str, Estimate], confidence: float) -> list[str]:
    """A line a figure, in per cent, with its interval.

    Args:
        found: by name, as `estimate` gives them.
        confidence: of the intervals, 0 … 1.
    """
    return [f"{_WORDS[name]}: {_said(found[name], confidence)}" for name in FIGURES]


def _said(one: Estimate, confidence: float) -> str:
    ends = f"{100 * confidence:g} % interval {_percent(one.low)} to {_percent(one.high)}"
    if one.value is None:
        return f"not known, since {one.why_not}; {ends}"
    return f"{_percent(one.value)} %, {ends}"


def _percent(share: float) -> str:
    """Two digits after the point, more for what would be 0.00 or 100.00 and is not."""
    shown = f"{100 * share:.2f}"
    return f"{100 * share:.2g}" if shown == "0.00" and share > 0 else shown
