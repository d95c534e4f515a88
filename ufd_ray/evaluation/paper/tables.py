"""`tables.md`: figures in the layout of the paper's Tables 2 and 3, the paper's own beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ufd_ray.evaluation.markdown import cell_text, table_lines
from ufd_ray.evaluation.means import Row
from ufd_ray.evaluation.paper.comparison import (
    HEADINGS,
    Figures,
    compared,
    figures_of,
    own_cells,
)
from ufd_ray.evaluation.paper.figures import MEAN
from ufd_ray.evaluation.paper.rows import Cells, TableRow, accuracy_rows, precision_rows
from ufd_ray.evaluation.paper.sets import PAPER_SETS
from ufd_ray.evaluation.paper.summary import summary_lines

_NOT_KNOWN = "–"


def tables_text(
    rows: Sequence[Row],
    detectors: Sequence[str],
    left_out: Mapping[str, str],
    section: Sequence[str] = (),
) -> str:
    """What all sets come to, both tables, and those of sets that are not the paper's.

    Args:
        rows: all figures of all sets; of both tables, means are made anew, over the sets of each.
        detectors: in the order of rows.
        left_out: sets without figures → the reason.
        section: lines of further sections, before the sets that are left out.

    Returns:
        Markdown.
    """
    figures = figures_of(rows)
    sets = list(dict.fromkeys(name for of_sets in figures.values() for name in of_sets))
    others = [name for name in sets if name not in PAPER_SETS]
    lines = ["# Evaluation", "", *_ABOUT, "", *summary_lines(rows, detectors)]
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
    "All figures in per cent, some with 95 % intervals in brackets; `metrics.csv` has all of them.",
    "Means are over the sets that are there, each counting as much as another. `*`: the threshold",
    "was found on the very images that it is judged by, so that this is an upper bound. The",
    "paper's figures are of its own images, with CLIP ViT-L/14 and a bank and probe of ProGAN's;",
    "what is not known of them is left empty.",
)


def _paper_table(rows: Sequence[TableRow], figures: Figures, mean: str) -> list[str]:
    heads = [mean if key == MEAN else heading for key, heading in HEADINGS.items()]
    lines = []
    for row in rows:
        lines.append(_line(row.title, own_cells(row, figures)))
        for one in compared(row, figures):
            lines.append(_line(f"the paper's {one.of_paper}", one.theirs))
            lines.append(_line("difference", one.apart, signed=True))
    return table_lines(["detector", *heads], lines)


def _other_table(
    rows: Sequence[TableRow], figures: Figures, sets: Sequence[str], mean: str
) -> list[str]:
    lines = []
    for row in rows:
        found = [figures[row.figure][name] for name in sets]
        average = 100 * sum(one.value for one in found) / len(found)
        lines.append([row.title, *map(_with_interval, found), f"{average:.2f}"])
    return table_lines(["detector", *map(cell_text, sets), mean], lines)


def _with_interval(row: Row) -> str:
    shown = f"{100 * row.value:.2f}"
    if row.low is None or row.high is None:
        return shown
    return f"{shown} [{100 * row.low:.1f}–{100 * row.high:.1f}]"


def _line(title: str, cells: Cells, *, signed: bool = False) -> list[str]:
    sign = "+" if signed else ""
    shown = [f"{cells[key]:{sign}.2f}" if key in cells else _NOT_KNOWN for key in HEADINGS]
    return [title, *shown]
