"""`tables.md`: figures in the layout of the paper's Tables 2 and 3, the paper's own beside ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ufd_ray.evaluation.means import GROUP, Row
from ufd_ray.evaluation.paper.figures import MEAN
from ufd_ray.evaluation.paper.rows import Cells, TableRow, accuracy_rows, precision_rows
from ufd_ray.evaluation.paper.sets import GROUPS, PAPER_SETS

_NOT_KNOWN = "–"
_MEANS = GROUPS | {MEAN: tuple(PAPER_SETS)}


def tables_text(
    rows: Iterable[Row],
    detectors: Sequence[str],
    left_out: Mapping[str, str],
    section: Sequence[str] = (),
) -> str:
    """Both tables, and the same figures, with their intervals, of sets that are not the paper's.

    Args:
        rows: all figures of all sets; means are made anew, over the sets of each table.
        detectors: in the order of rows.
        left_out: sets without figures → the reason.
        section: lines of further sections, before the sets that are left out.

    Returns:
        Markdown.
    """
    figures: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if not row.set.startswith(GROUP):
            figures.setdefault((row.detector, row.metric), {})[row.set] = row
    sets = list(dict.fromkeys(name for of_sets in figures.values() for name in of_sets))
    others = [name for name in sets if name not in PAPER_SETS]
    lines = ["# Evaluation", "", *_ABOUT]
    tables = (
        ("Average precision", "Table 2", precision_rows(detectors), "mAP"),
        ("Accuracy, mean of both classes", "Table 3", accuracy_rows(detectors), "mean"),
    )
    for title, number, all_rows, mean in tables:
        there = [row for row in all_rows if row.figure in figures]
        if len(others) < len(sets):
            lines += ["", f"## {title} ({number})", "", *_paper_table(there, figures, mean)]
        if others:
            other = _other_table(there, figures, others, mean)
            lines += ["", f"## {title}, other sets", "", *other]
    if section:
        lines += ["", *section]
    if left_out:
        lines += ["", "## Left out", ""]
        lines += [f"- {cell_text(name)}: {cell_text(why)}" for name, why in left_out.items()]
    return "\n".join(lines) + "\n"


_ABOUT = (
    "All figures in per cent, with 95 % intervals in brackets. Means are over the sets that are",
    "there, each counting as much as another. `*`: the threshold was found on the very images that",
    "it is judged by, so that this is an upper bound. The paper's figures are of its own images,",
    "with CLIP ViT-L/14 and a bank and probe of ProGAN's; what is not known of them is left empty.",
)

_Figures = Mapping[tuple[str, str], Mapping[str, Row]]
"""Detector and metric → test set → figure."""


def _paper_table(rows: Sequence[TableRow], figures: _Figures, mean: str) -> list[str]:
    lines = _head([*PAPER_SETS.values(), "mean of GANs", "mean of unseen", mean])
    for row in rows:
        ours = {name: 100 * found.value for name, found in figures[row.figure].items()}
        there = [name for name in PAPER_SETS if name in ours]
        own = _with_means(ours, there)
        lines.append(_line(row.title, own))
        for name, cells in row.of_paper:
            theirs = _with_means(cells, there)
            apart = {column: own[column] - theirs[column] for column in own if column in theirs}
            lines.append(_line(f"the paper's {name}", theirs))
            lines.append(_line("difference", apart, signed=True))
    return lines


def _with_means(cells: Cells, there: Sequence[str]) -> dict[str, float]:
    """The cells of the sets that are there, and the means over them where they are known."""
    found = {name: cells[name] for name in there if name in cells}
    for mean, members in _MEANS.items():
        meant = [name for name in there if name in members]
        if mean in cells and len(meant) == len(members):
            found[mean] = cells[mean]  # as printed: rounded once
        elif meant and all(name in found for name in meant):
            found[mean] = sum(found[name] for name in meant) / len(meant)
    return found


def _other_table(
    rows: Sequence[TableRow], figures: _Figures, sets: Sequence[str], mean: str
) -> list[str]:
    lines = _head([*map(cell_text, sets), mean])
    for row in rows:
        found = [figures[row.figure][name] for name in sets]
        average = 100 * sum(one.value for one in found) / len(found)
        cells = [*map(_with_interval, found), f"{average:.2f}"]
        lines.append(f"| {row.title} | {' | '.join(cells)} |")
    return lines


def _with_interval(row: Row) -> str:
    shown = f"{100 * row.value:.2f}"
    if row.low is None or row.high is None:
        return shown
    return f"{shown} [{100 * row.low:.1f}–{100 * row.high:.1f}]"


def _head(heads: Sequence[str]) -> list[str]:
    return [f"| detector | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]


def _line(title: str, cells: Cells, *, signed: bool = False) -> str:
    columns = (*PAPER_SETS, *_MEANS)
    sign = "+" if signed else ""
    shown = [f"{cells[name]:{sign}.2f}" if name in cells else _NOT_KNOWN for name in columns]
    return f"| {title} | {' | '.join(shown)} |"


def cell_text(text: str) -> str:
    """Names of strangers in one cell: text, whatever Markdown or HTML they may be."""
    return re.sub(r"([\\|<>\[\]`])", r"\\\1", " ".join(text.split()))
