"""The tables of an evaluation's page: a row a set, a column a detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ufd_ray.report.facts import grid
from ufd_ray.report.page import escape, name_of

MOST_SETS = 60
"""Sets of which a table has a row; the others are in `metrics.csv`."""
_GROUP = "mean/"


def precision_table(document: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Average precisions; arguments as of `render_evaluation`."""
    head = "How well fakes are ranked above real images: average precision, per cent"
    return _section("Average precision", head, document, metrics, "average_precision")


def accuracy_table(document: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Accuracies at the detectors' own thresholds; arguments as of `render_evaluation`."""
    head = "Mean of both classes’ accuracies at each detector’s own threshold, per cent"
    return _section("Accuracy", head, document, metrics, "accuracy")


def _section(
    title: str,
    caption: str,
    document: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    metric: str,
) -> list[str]:
    """A row a set, a column a detector, with intervals where they are known; means below."""
    detectors = list(document["detectors"])
    found = {(one["set"], one["detector"]): one for one in metrics if one["metric"] == metric}
    sets = list(dict.fromkeys(name for name, _ in found))
    means = [name for name in sets if name.startswith(_GROUP)]
    own = [name for name in sets if not name.startswith(_GROUP)]
    rows = [
        [name_of(name, 60), *(_figure(found.get((name, detector))) for detector in detectors)]
        for name in [*own[:MOST_SETS], *means]
    ]
    return [f"<h2>{title}</h2>", grid(caption, ["set", *detectors], rows), *_more(len(own))]


def _figure(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    if row["low"] is None or row["high"] is None:
        return f"{100 * row['value']:.2f}"
    return f"{100 * row['value']:.2f}<br>[{100 * row['low']:.1f}–{100 * row['high']:.1f}]"


def mistakes_table(document: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Confusion at each detector's own threshold: both kinds of mistakes, of how many."""
    detectors, sets = list(document["detectors"]), document["sets"]
    right = {
        (one["set"], one["detector"], one["metric"]): one["value"]
        for one in metrics
        if one["metric"] in ("accuracy_real", "accuracy_fake")
    }
    rows = []
    for name, images in list(sets.items())[:MOST_SETS]:
        cells = [name_of(name, 60), f"{images['n_real']:,} / {images['n_fake']:,}"]
        for detector in detectors:
            wrong = [
                _count(images[f"n_{label}"], right.get((name, detector, f"accuracy_{label}")))
                for label in ("real", "fake")
            ]
            cells.append(" / ".join(wrong))
        rows.append(cells)
    caption = "Real images called fake / fakes called real, at each detector’s own threshold"
    return [
        "<h2>Mistakes</h2>",
        grid(caption, ["set", "images", *detectors], rows),
        *_more(len(sets)),
    ]


def _count(num: int, right: float | None) -> str:
    return "–" if right is None else f"{round(num * (1 - right)):,}"


def _more(num_sets: int) -> list[str]:
    if num_sets <= MOST_SETS:
        return []
    return [f'<p class="note">The first {MOST_SETS} of {num_sets:,} sets; metrics.csv has all.</p>']


def bias_table(found: Mapping[str, Any] | None) -> list[str]:
    """What files alone tell: of `format_bias` in `evaluation.json`; None: nobody asked."""
    if found is None:
        return []
    rows = []
    for name, by_files in list(found["sets"].items())[:MOST_SETS]:
        for files, one in by_files.items():
            precision, accuracy = (
                _interval(one[metric]) for metric in ("average_precision", "accuracy")
            )
            beyond = {True: "yes", False: "no", None: "not known"}[one["found"]]
            title = f"{name_of(name, 60)}, {escape(files.replace('_', ' '))}"
            rows.append([title, f"{100 * one['chance']:.2f}", precision, accuracy, beyond])
    caption = "How well fakes are found from what files say of themselves, per cent"
    head = ("set and files", "chance", "average precision", "accuracy", "beyond chance")
    return ["<h2>Do the files tell already?</h2>", grid(caption, head, rows)]


def _interval(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{100 * found['estimate']:.2f}<br>[{100 * found['low']:.1f}–{100 * found['high']:.1f}]"
