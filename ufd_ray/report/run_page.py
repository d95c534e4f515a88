"""`report.html` of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ufd_ray.report.agreement import Agreement, tell_agreement
from ufd_ray.report.bars import draw_bars
from ufd_ray.report.drift import Earlier, tell_drift
from ufd_ray.report.facts import facts
from ufd_ray.report.gallery import Gallery, tell_gallery
from ufd_ray.report.histogram import Histogram
from ufd_ray.report.holding import WENT_INTO, what_held_back
from ufd_ray.report.page import escape, make_page, percent
from ufd_ray.report.sources import SourceCounts, tell_sources

_WHO = {"probe": "probe", "neighbors": "neighbours’ vote", "margin": "neighbours’ margin"}


@dataclass(frozen=True)
class Findings:
    """What a page tells of a run beyond its `run.json`.

    Attributes:
        sources: images by source.
        agreement: of probe and neighbours; None: one of them is missing.
        earlier: the run before it, or why there is none to compare with.
        galleries: images to look at.
    """

    sources: SourceCounts
    agreement: Agreement | None
    earlier: Earlier | str
    galleries: tuple[Gallery, ...] = ()


def render_run(run: dict[str, Any], histogram: Histogram, found: Findings | None = None) -> str:
    """The page of a published run.

    Args:
        run: what `run.json` holds. Names in it may be a stranger's: all are escaped.
        histogram: images by the deciding score.
        found: what else is known; None: nothing.

    Returns:
        HTML; its size does not depend on the number of images.
    """
    detectors = run["detectors"]
    scores = [*_lead(run), "<h2>How the scores lie</h2>", draw_bars(histogram, detectors)]
    if found is not None:
        fake = run["counts"]["by_verdict"].get("fake", 0)
        scores += tell_drift(histogram, fake, found.earlier)
        scores += tell_sources(found.sources)
        scores += tell_agreement(found.agreement)
        scores += [line for gallery in found.galleries for line in tell_gallery(gallery)]
    decided = [(k, v) for k, v in detectors.items() if k not in ("encoder", "encoder_id")]
    decided += [(f"encoder {k}", v) for k, v in detectors["encoder"].items() if k != "encoder_id"]
    decided += [("encoder_id", detectors["encoder_id"])]
    body = [
        f"<h1>{escape(_title(run))}</h1>",
        *scores,
        "<h2>What became of the images</h2>",
        facts(_became(run["counts"])),
        "<h2>Where the time went</h2>",
        *_say_held_back(run.get("efficiency")),
        facts(_took(run)),
        *_say_efficiency(run.get("efficiency")),
        "<h2>What decided</h2>",
        facts(decided),
        "<h2>Settings and versions</h2>",
        facts([*run["settings"].items(), *run["versions"].items()]),
    ]
    return make_page(_title(run), body)


def _title(run: dict[str, Any]) -> str:
    return f"Run {run['run_id']}"


def _lead(run: dict[str, Any]) -> list[str]:
    counts, detectors, timings = run["counts"], run["detectors"], run["timings"]
    unsure = counts["by_verdict"].get("unsure", 0)
    scored = counts["by_status"].get("scored", 0)
    fake = counts["by_verdict"].get("fake", 0)
    rate = counts["images"] / max(timings["whole_run_s"], 1e-9)
    share = percent(fake / scored) if scored else "–"
    lead = f"{run['outcome'].replace('_', ' ')} · {run['started_at']} to {run['finished_at']}"
    paragraphs = [
        f'<p class="lead">{escape(lead)} · {rate:,.1f} images a second, start-up included</p>',
        f"<p>{scored:,} of {counts['images']:,} images were scored. {fake:,} of them ({share}) were"
        f" called fake by the {_WHO[detectors['decided_by']]}{_say_unsure(unsure, detectors)}.</p>",
    ]
    if detectors["weights_are_random"]:
        warning = "The encoder’s weights are random: the scores mean nothing."
        paragraphs.insert(1, f'<p class="warning">{warning}</p>')
    return paragraphs


def _became(counts: dict[str, Any]) -> list[tuple[str, Any]]:
    became = [(f"verdict {word}", n) for word, n in sorted(counts["by_verdict"].items())]
    became += [(f"error {code}", n) for code, n in sorted(counts["by_error_code"].items())]
    return [*became, ("same bytes as an earlier image", counts["duplicates"])]


def _took(run: dict[str, Any]) -> list[tuple[str, Any]]:
    timings = run["timings"]
    took = [("whole run, seconds", timings["whole_run_s"])]
    took += [(f"{k}, worker seconds", v) for k, v in timings["worker_seconds_by_stage"].items()]
    if estimate := run.get("estimate"):
        took += [("predicted by the plan, seconds", estimate["predicted_s"])]
        took += [("whole run, of what was predicted", estimate["ratio"])]
        if not estimate["same_machines"]:
            planned, there = (
                f"{estimate[cpus]:,} CPUs and {estimate[gpus]:,} GPUs"
                for cpus, gpus in (("cpus_planned", "gpus_planned"), ("cpus", "gpus"))
            )
            took += [("the plan was for other machines", f"{planned}; there were {there}")]
    return took


def _say_held_back(found: dict[str, Any] | None) -> list[str]:
    said = what_held_back(found)
    return [] if said is None else [f"<p>{escape(said)}</p>"]


def _say_efficiency(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    rows = [
        ("share of what they do alone, first batch to last", found["steady"]),
        ("the same, whole run", found["whole_run"]),
    ]
    rows += [(f"{WENT_INTO.get(name, name)}, seconds", n) for name, n in found["seconds"].items()]
    return ["<h2>How near it came to its encoders alone</h2>", facts(rows)]


def _say_unsure(unsure: int, detectors: dict[str, Any]) -> str:
    if detectors.get("unsure_above") is None:
        return ""
    return f", and {unsure:,} are left unsure"
