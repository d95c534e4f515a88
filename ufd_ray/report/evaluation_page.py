"""`evaluation.html` of an evaluation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ufd_ray.report.facts import facts, grid
from ufd_ray.report.gallery import Gallery, tell_gallery
from ufd_ray.report.page import escape, make_page, name_of

MOST_SETS = 60
"""Sets of which a table has a row; the others are in `metrics.csv`."""
_GROUP = "mean/"
_WARNING = "warning: "
_LONGEST_LINE = 1000


@dataclass(frozen=True)
class Drawn:
    """A figure of the evaluation.

    Attributes:
        name: of its file.
        svg: its bytes; None: it is too large for a page.
    """

    name: str
    svg: bytes | None


def render_evaluation(
    document: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    told: Sequence[str],
    drawn: Sequence[Drawn] = (),
    galleries: Sequence[Gallery] = (),
) -> str:
    """The page of an evaluation.

    Args:
        document: what `evaluation.json` holds. Names in it may be a stranger's: all are escaped.
        metrics: rows of `METRICS`.
        told: what the terminal says at the end, a line each.
        drawn: figures.
        galleries: images to look at.
    """
    body = [
        "<h1>Evaluation</h1>",
        f'<p class="lead">{escape(_lead(document))}</p>',
        *map(_paragraph, told),
        *_precisions(document, metrics),
        *_accuracies(document, metrics),
        *_mistakes(document, metrics),
        *_figures(drawn),
        *_bias(document.get("format_bias")),
        *(line for gallery in galleries for line in tell_gallery(gallery)),
        "<h2>Images</h2>",
        facts(list(document["counts"].items())),
        *_left_out(document["left_out"]),
        "<h2>What was judged</h2>",
        facts(_identities(document)),
        "<h2>Settings and versions</h2>",
        facts([*document["settings"].items(), *document["versions"].items()]),
    ]
    return make_page("Evaluation", body)


def _lead(document: Mapping[str, Any]) -> str:
    sets = document["sets"]
    return (
        f"{document['outcome'].replace('_', ' ')} · {document['evaluated_at']} · {len(sets):,}"
        f" test sets · {document['counts']['used']:,} images"
    )


def _paragraph(line: str) -> str:
    if line.startswith(_WARNING):
        return f'<p class="warning">{name_of(line.removeprefix(_WARNING), _LONGEST_LINE)}</p>'
    return f"<p>{name_of(line, _LONGEST_LINE)}</p>"


def _precisions(document: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    head = "How well fakes are ranked above real images: average precision, per cent"
    return _section("Average precision", head, document, metrics, "average_precision")


def _accuracies(document: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
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


def _mistakes(document: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
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


def _figures(drawn: Sequence[Drawn]) -> list[str]:
    lines = ["<h2>Figures</h2>"] if drawn else []
    for one in drawn:
        words = escape(one.name)
        if one.svg is None:
            lines.append(f'<p class="note">{words} is too large for this page.</p>')
            continue
        data = base64.b64encode(one.svg).decode()
        lines.append(
            f'<figure><img class="figure" src="data:image/svg+xml;base64,{data}" alt="Figure'
            f' {words}"><figcaption>{words}</figcaption></figure>'
        )
    return lines


def _bias(found: Mapping[str, Any] | None) -> list[str]:
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


def _left_out(left_out: Mapping[str, str]) -> list[str]:
    if not left_out:
        return []
    lines = [f"<li>{name_of(name)}: {name_of(why)}</li>" for name, why in left_out.items()]
    more = len(lines) - MOST_SETS
    lines = [*lines[:MOST_SETS], *([f"<li>and {more:,} more</li>"] if more > 0 else [])]
    return ["<h2>Sets that were left out</h2>", f"<ul>{''.join(lines)}</ul>"]


def _identities(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = ("encoder_id", "weights_are_random", "precision", "device", "dtype", "bank", "probe")
    contents = ("bank_content", "probe_content")
    encoder = [(f"encoder {k}", v) for k, v in document["encoder"].items() if k != "encoder_id"]
    thresholds = [(f"thresholds of {name}", v) for name, v in document["detectors"].items()]
    own = [(name, document[name]) for name in (*names, *contents)]
    return [*encoder, *own, *thresholds, ("alignment", document["alignment"])]
