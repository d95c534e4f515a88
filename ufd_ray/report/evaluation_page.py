"""`evaluation.html` of an evaluation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ufd_ray.report.evaluation_tables import (
    MOST_SETS,
    accuracy_table,
    bias_table,
    mistakes_table,
    precision_table,
)
from ufd_ray.report.facts import facts
from ufd_ray.report.gallery import Gallery, tell_gallery
from ufd_ray.report.page import escape, make_page, name_of

_WARNING = "warning: "
_LONGEST_LINE = 1000
_IMAGE_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
"""What the bytes of a figure are, by the end of its name."""


@dataclass(frozen=True)
class Drawn:
    """A figure of the evaluation.

    Attributes:
        name: of its file, `….svg` or `….png`; without that where there are no bytes.
        data: its bytes; None: it is too large for a page.
    """

    name: str
    data: bytes | None


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
        *precision_table(document, metrics),
        *accuracy_table(document, metrics),
        *mistakes_table(document, metrics),
        *_figures(drawn),
        *bias_table(document.get("format_bias")),
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


def _figures(drawn: Sequence[Drawn]) -> list[str]:
    lines = ["<h2>Figures</h2>"] if drawn else []
    for one in drawn:
        words = escape(one.name)
        if one.data is None:
            lines.append(f'<p class="note">{words} is too large for this page.</p>')
            continue
        kind, data = _IMAGE_TYPES[one.name.rpartition(".")[2]], base64.b64encode(one.data).decode()
        lines.append(
            f'<figure><img class="figure" src="data:{kind};base64,{data}" alt="Figure {words}">'
            f"<figcaption>{words}</figcaption></figure>"
        )
    return lines


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
