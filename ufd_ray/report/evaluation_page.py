"""`evaluation.html` of an evaluation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ufd_ray.report.bias_table import bias_table
from ufd_ray.report.evaluation_figures import EvaluationFigures
from ufd_ray.report.evaluation_matrix import MOST_SETS
from ufd_ray.report.evaluation_tables import main_tables, set_tables
from ufd_ray.report.facts import facts
from ufd_ray.report.folded import Folded, fold, tell_folded
from ufd_ray.report.gallery import Gallery, tell_gallery
from ufd_ray.report.page import escape, make_page, name_of

_WARNING = "warning: "
_LONGEST_LINE = 1000
_LEGEND = (
    "An image’s nearest neighbours in the bank tell by how many of them are fakes (vote), and by"
    " how much nearer the nearest fakes are than the nearest real images (margin, of one each;"
    " mean margin, of several)."
)
_MOST_WARNINGS = 3
"""That stand before the figures."""
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

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return self.name if self.data is None else self.name.rpartition(".")[0]


def render_evaluation(
    document: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    told: Sequence[str],
    drawn: Sequence[Drawn] = (),
    galleries: Sequence[Gallery] = (),
    *,
    titles: Mapping[str, str] | None = None,
    beside: Sequence[Folded] = (),
    varied: Sequence[Folded] = (),
) -> str:
    """The page of an evaluation.

    Args:
        document: what `evaluation.json` holds. Names in it may be a stranger's: all are escaped.
        metrics: rows of `METRICS`.
        told: what is said that no table here says, a line each; warnings begin with that word.
        drawn: figures.
        galleries: images to look at.
        titles: what detectors are called, by column; None: as their columns.
        beside: the paper's figures.
        varied: what was varied beside the detectors.
    """
    figures = EvaluationFigures.of(document, metrics, titles or {})
    warnings = [line for line in told if line.startswith(_WARNING)]
    remarks = [_paragraph(line) for line in told if not line.startswith(_WARNING)]
    of_folded = {name for one in varied for name in one.figures}
    body = [
        "<h1>Evaluation</h1>",
        f'<p class="lead">{escape(_lead(document))}</p>',
        *_warnings(warnings),
        *([f'<p class="note">{_LEGEND}</p>'] if _has_neighbours(figures) else []),
        *main_tables(figures),
        *set_tables(figures),
        *_section("Beside the paper’s figures", beside, drawn),
        *_section("What was varied", varied, drawn),
        *(line for gallery in galleries for line in tell_gallery(gallery)),
        *bias_table(document.get("format_bias"), remarks),
        *_figures([one for one in drawn if one.stem not in of_folded]),
        "<h2>Images</h2>",
        facts(list(document["counts"].items())),
        *_left_out(document["left_out"]),
        "<h2>What was judged</h2>",
        facts(_identities(document)),
        "<h2>Settings and versions</h2>",
        facts([*document["settings"].items(), *document["versions"].items()]),
    ]
    return make_page("Evaluation", body)


def _has_neighbours(figures: EvaluationFigures) -> bool:
    return any(name.startswith("nn_") for name in figures.detectors)


def _lead(document: Mapping[str, Any]) -> str:
    num, counts = len(document["sets"]), document["counts"]
    return (
        f"{document['outcome'].replace('_', ' ')} · {document['evaluated_at']} · {num:,} test"
        f" set{'s' * (num != 1)} · {counts['used']:,} of {counts['images']:,} images used"
    )


def _warnings(lines: Sequence[str]) -> list[str]:
    """The first few; the others for whoever opens them."""
    told = [_paragraph(line) for line in lines]
    more = told[_MOST_WARNINGS:]
    title = f"{len(more):,} further warning{'s' * (len(more) != 1)}"
    return [*told[:_MOST_WARNINGS], *(fold(title, more) if more else [])]


def _paragraph(line: str) -> str:
    if line.startswith(_WARNING):
        return f'<p class="warning">{name_of(line.removeprefix(_WARNING), _LONGEST_LINE)}</p>'
    return f"<p>{name_of(line, _LONGEST_LINE)}</p>"


def _section(title: str, folded: Sequence[Folded], drawn: Sequence[Drawn]) -> list[str]:
    lines = [f"<h2>{title}</h2>"] if folded else []
    for one in folded:
        own = [_figure(drawing) for drawing in drawn if drawing.stem in one.figures]
        lines += tell_folded(one, own)
    return lines


def _figures(drawn: Sequence[Drawn]) -> list[str]:
    return ["<h2>Figures</h2>", *map(_figure, drawn)] if drawn else []


def _figure(drawn: Drawn) -> str:
    words = escape(drawn.name)
    if drawn.data is None:
        return f'<p class="note">{words} is too large for this page.</p>'
    kind = _IMAGE_TYPES[drawn.name.rpartition(".")[2]]
    data = base64.b64encode(drawn.data).decode()
    return (
        f'<figure><img class="figure" src="data:{kind};base64,{data}" alt="Figure {words}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


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
