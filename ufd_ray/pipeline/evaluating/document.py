"""`evaluation.json`: what was judged, by what, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from ufd_ray import __version__
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.comparing.compared import describe_compared
from ufd_ray.pipeline.evaluating.account import describe_groups, describe_sets
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.figures import Figures
from ufd_ray.pipeline.evaluating.judgement import Judgement
from ufd_ray.pipeline.sweeping.writing import describe_sweeps
from ufd_ray.storage import utc_now

DOCUMENT = "evaluation.json"
_VERSIONS = ("torch", "pillow", "numpy", "scikit-learn", "matplotlib")


def describe(
    evaluation: Evaluation,
    found: Judgement,
    figures: Figures | None,
    files: Sequence[Mapping[str, Any]],
    fingerprint: Mapping[str, Any],
    outcome: Outcome,
) -> dict[str, Any]:
    """The whole document.

    Args:
        evaluation: what was evaluated.
        found: what came of it.
        figures: what was drawn; None: nothing.
        files: what lies beside it, each with its checksum.
        fingerprint: all that decides the figures.
        outcome: how the job ends.
    """
    sets, alignment = found.sets, evaluation.alignment
    return {
        "outcome": outcome.word,
        "evaluated_at": utc_now(),
        **_identities(evaluation),
        "detectors": {c.name: {"default": c.default, "tuned": c.tuned} for c in found.columns},
        "baselines": describe_compared(evaluation.compared),
        "counts": found.counts(),
        "sets": describe_sets(sets, found.collected),
        "left_out": sets.left_out,
        "groups": describe_groups(sets),
        "alignment": asdict(alignment) if alignment else None,
        "format_bias": found.guard.to_dict() if found.guard else None,
        "figures": figures.facts if figures else None,
        "sweeps": describe_sweeps(found.sweeps),
        "files": files,
        "settings": evaluation.settings.model_dump(mode="json"),
        "fingerprint": fingerprint,
    }


def _identities(evaluation: Evaluation) -> dict[str, Any]:
    detectors, plan = evaluation.detectors, evaluation.plan
    facts = detectors.describe(plan.precision, plan.device)
    names = ("encoder", "encoder_id", "weights_are_random", "precision", "device", "dtype")
    contents = detectors.contents()
    return {
        **{name: facts[name] for name in (*names, "bank", "probe")},
        **{name: contents[name] for name in ("bank_content", "probe_content")},
        "versions": {"ufd-ray": __version__} | {name: version(name) for name in _VERSIONS},
    }
