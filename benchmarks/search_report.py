"""What `search.py` writes: a Markdown table, a JSON and a plot."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from search_data import DIM

mpl.use("Agg")
import matplotlib.pyplot as plt

PRODUCTS = ("fp32", "bf16", "fp16")


@dataclass
class Figure:
    """One method's times on one bank and number of queries.

    Attributes:
        k: neighbours asked for; 0 for a bare product, which has none.
        seconds: of every turn.
        left_out: why there are none; empty: there are.
        differing: places whose row is not ours, and queries whose set of rows is not; None: not
            compared.
        notes: what the method said of its last search.
    """

    method: str
    bank: int
    queries: int
    k: int
    seconds: list[float] = field(default_factory=list)
    left_out: str = ""
    differing: tuple[int, int] | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float | None:
        return median(self.seconds) if self.seconds else None

    @property
    def gflops(self) -> float | None:
        """Of the products alone: two operations for each row, query and number."""
        took = self.median
        return took and 2e-9 * self.bank * self.queries * DIM / took

    def __str__(self) -> str:
        what = f"{self.bank:,} rows, {self.queries:,} queries, k {self.k or '-'}: {self.method:11}"
        if self.left_out:
            return f"{what} left out: {self.left_out}"
        took = [
            _time(seconds) for seconds in (self.median or 0, min(self.seconds), max(self.seconds))
        ]
        spread = f"{took[1]} to {took[2]}, {len(self.seconds)} turns"
        others = "".join(f", {name} {value}" for name, value in self.notes.items())
        if self.differing is not None:
            others += f", other rows than ours in {self.differing[0]:,} places"
            others += f" (other sets for {self.differing[1]:,} queries)"
        return f"{what} {took[0]} ({spread}), {self.gflops:.0f} GFLOP/s{others}"


def table(figures: Sequence[Figure]) -> list[str]:
    """One line for each bank, number of queries and k: seconds (medians) and GFLOP/s."""
    methods = dict.fromkeys(figure.method for figure in figures)
    searches = [name for name in methods if name not in PRODUCTS]
    products = [name for name in methods if name in PRODUCTS]
    peers = [name for name in searches if name != "ours"]
    heads = ["bank", "queries", "k", *searches, *products]
    heads += [*(f"{name} ÷ ours" for name in peers), "fastest product ÷ ours"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---:|" * len(heads)]
    found = {(f.bank, f.queries, f.k, f.method): f for f in figures}
    for bank, queries, k in dict.fromkeys((f.bank, f.queries, f.k) for f in figures if f.k):
        ours = found.get((bank, queries, k, "ours"))
        theirs = [found.get((bank, queries, k, name)) for name in searches]
        bare = [found.get((bank, queries, 0, name)) for name in products]
        ceilings = [took for f in bare if f and (took := f.median)]
        cells = [f"{bank:,}", f"{queries:,}", str(k), *(_cell(figure) for figure in theirs + bare)]
        mine = ours and ours.median
        for name in peers:
            peer = found.get((bank, queries, k, name))
            took = peer and peer.median
            cells.append(f"{took / mine:.2f}" if took and mine else "")
        cells.append(f"{min(ceilings) / mine:.2f}" if ceilings and mine else "")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def remarks(figures: Sequence[Figure]) -> Iterator[str]:
    """What does not go into the table: what was left out, agreement, counts, layouts."""
    for figure in figures:
        where = f"{figure.method}, {figure.bank:,} × {figure.queries:,}"
        where += f", k {figure.k}" if figure.k else ""
        if figure.left_out:
            yield f"- {where}: left out, {figure.left_out}"
        elif figure.differing and any(figure.differing):
            places, queries = figure.differing
            yield (
                f"- {where}: other rows than ours in {places:,} of {figure.queries * figure.k:,}"
                f" places, other sets for {queries:,} queries"
            )
        if figure.notes and not figure.left_out:
            said = ", ".join(f"{name} {value}" for name, value in figure.notes.items())
            yield f"- {where}: {said}"


def _cell(figure: Figure | None) -> str:
    if figure is None or figure.left_out:
        return "left out" if figure else ""
    return f"{_time(figure.median or 0)} ({figure.gflops:.0f})"


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def plot(figures: Sequence[Figure], path: Path) -> None:
    """Time against the bank's size, a panel for each number of queries, at the largest k."""
    most = max(figure.k for figure in figures)
    shown = [f for f in figures if f.k in (0, most) and f.seconds]
    panels = sorted({figure.queries for figure in shown})
    banks = sorted({figure.bank for figure in shown})
    sheet, axes = plt.subplots(
        1, len(panels), figsize=(3.6 * len(panels) + 1, 4.6), sharey=True, squeeze=False
    )
    names = dict.fromkeys(figure.method for figure in shown if figure.k)
    for queries, panel in zip(panels, axes[0], strict=True):
        here = [figure for figure in shown if figure.queries == queries]
        for number, name in enumerate(names):
            points = sorted((f.bank, median(f.seconds)) for f in here if f.method == name)
            panel.plot(*_across(points), "o-", color=f"C{number}", label=name)
        ceilings: dict[int, float] = {}
        for figure in here:
            if figure.k == 0:
                least = ceilings.get(figure.bank, math.inf)
                ceilings[figure.bank] = min(median(figure.seconds), least)
        panel.plot(*_across(sorted(ceilings.items())), "k.--", label="fastest product")
        panel.set(xscale="log", yscale="log", xlabel="rows of the bank")
        panel.set_xticks(banks, [f"{bank:,}" for bank in banks])
        panel.set_xticks([], minor=True)
        panel.set_title(f"{queries:,} queries")
        panel.grid(True, which="both", alpha=0.25)
    axes[0][0].set_ylabel("seconds")
    handles, labels = axes[0][0].get_legend_handles_labels()
    sheet.legend(handles, labels, loc="lower center", ncol=len(labels), frameon=False)
    sheet.suptitle(f"Exact search, {DIM} numbers an embedding, k = {most}")
    sheet.tight_layout(rect=(0, 0.07, 1, 1))
    sheet.savefig(path, dpi=130)
    plt.close(sheet)


def _across(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [point[0] for point in points], [point[1] for point in points]


def write(folder: Path, about: dict[str, Any], builds: list[str], figures: list[Figure]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    said = [f"- {name}: {value}" for name, value in about.items()]
    lines = [*said, "", *builds, "", *table(figures), "", *remarks(figures)]
    (folder / "search.md").write_text("\n".join(lines) + "\n")
    content = {
        "machine": about,
        "figures": [asdict(f) | {"median": f.median, "gflops": f.gflops} for f in figures],
    }
    (folder / "search.json").write_text(json.dumps(content, indent=1))
    if any(figure.seconds and figure.k for figure in figures):
        plot(figures, folder / "search.png")
