"""The figures of an evaluation as its tables look them up: by set, detector and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ufd_ray.report.page import escape, name_of, plain_name

GROUP = "mean/"
"""Begins the name of a group of sets, where that of a set stands."""
ALL = f"{GROUP}all"
_WORDS = {f"{GROUP}gan": "mean of GANs", f"{GROUP}unseen": "mean of unseen", ALL: "mean of all"}
NOT_KNOWN = "–"
IN_ROWS = 60
"""Letters of a set's name at the head of a row."""


@dataclass(frozen=True)
class EvaluationFigures:
    """What is known of all sets.

    Attributes:
        sets: those that were judged, with their `n_real` and `n_fake`.
        groups: `mean/all` and others that there are means over, that one last.
        detectors: column → what it is called, plain text.
        rows: set or group, detector and metric → row of `METRICS`.
    """

    sets: Mapping[str, Mapping[str, int]]
    groups: Sequence[str]
    detectors: Mapping[str, str]
    rows: Mapping[tuple[str, str, str], Mapping[str, Any]]

    @classmethod
    def of(
        cls,
        document: Mapping[str, Any],
        metrics: Sequence[Mapping[str, Any]],
        titles: Mapping[str, str],
    ) -> EvaluationFigures:
        """Those of `evaluation.json` and `metrics.parquet`; `titles` as of `render_evaluation`."""
        rows = {(row["set"], row["detector"], row["metric"]): row for row in metrics}
        groups = dict.fromkeys(name for name, *_ in rows if name.startswith(GROUP))
        detectors = {name: titles.get(name, name) for name in document["detectors"]}
        return cls(document["sets"], tuple(groups), detectors, rows)

    def cell(self, name: str, detector: str, metric: str, *, interval: bool = True) -> str:
        """A figure in per cent as HTML, its interval below it where there is one."""
        row = self.rows.get((name, detector, metric))
        if row is None:
            return NOT_KNOWN
        shown = f"{100 * row['value']:.2f}"
        if not interval or row["low"] is None or row["high"] is None:
            return shown
        return f"{shown}<br>[{100 * row['low']:.1f}–{100 * row['high']:.1f}]"

    def mistakes(self, name: str, detector: str) -> str:
        """Real images called fake and fakes called real, at the detector's own threshold."""
        wrong = []
        for label in ("real", "fake"):
            row = self.rows.get((name, detector, f"accuracy_{label}"))
            num = self.sets[name][f"n_{label}"]
            wrong.append(NOT_KNOWN if row is None else f"{round(num * (1 - row['value'])):,}")
        return " / ".join(wrong)

    def has(self, metric: str) -> bool:
        """Whether any detector has such a figure."""
        return any(of == metric for _, _, of in self.rows)


def name_of_group(name: str, longest: int) -> str:
    """A set's name, or a group's in words, as HTML."""
    return _WORDS.get(name) or name_of(name, longest)


def plain_name_of_group(name: str, longest: int) -> str:
    """Likewise, as plain text."""
    return _WORDS.get(name) or plain_name(name, longest)


def whole(title: str) -> str:
    """A detector at the head of a row, in one line."""
    return f'<span class="whole">{escape(title)}</span>'
