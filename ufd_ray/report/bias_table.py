"""What files alone tell of an evaluation's images, on its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ufd_ray.report.evaluation_figures import NOT_KNOWN
from ufd_ray.report.evaluation_matrix import MOST_SETS
from ufd_ray.report.facts import grid
from ufd_ray.report.page import escape, name_of


def bias_table(found: Mapping[str, Any] | None, remarks: Sequence[str] = ()) -> list[str]:
    """The section.

    Args:
        found: `format_bias` of `evaluation.json`; None: nobody asked.
        remarks: what else is said of it, as HTML.
    """
    if found is None:
        return [*remarks]
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
    return ["<h2>Do the files tell already?</h2>", grid(caption, head, rows), *remarks]


def _interval(found: Mapping[str, float] | None) -> str:
    if found is None:
        return NOT_KNOWN
    return f"{100 * found['estimate']:.2f}<br>[{100 * found['low']:.1f}–{100 * found['high']:.1f}]"
