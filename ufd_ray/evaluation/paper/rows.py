"""Which rows the tables have, and which of the paper's each of ours is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ufd_ray.evaluation.judging import ACCURACY, AVERAGE_PRECISION
from ufd_ray.evaluation.paper.figures import PAPER_ACCURACY, PAPER_AVERAGE_PRECISION

BASELINE_COLUMN = "baseline_"
"""With its name behind it, the column of a baseline."""
Cells = Mapping[str, float]
"""Test set → a figure, in per cent."""


@dataclass(frozen=True)
class TableRow:
    """A row of ours.

    Attributes:
        title: what it is called.
        figure: detector and metric.
        of_paper: name and cells of the paper's rows that it is compared with.
    """

    title: str
    figure: tuple[str, str]
    of_paper: tuple[tuple[str, Cells], ...] = ()


def precision_rows(detectors: Sequence[str]) -> list[TableRow]:
    """The rows of Table 2.

    Args:
        detectors: columns of `scores.parquet`, in the order of rows.
    """
    # The margin does not depend on k: the paper's figures hardly do.
    votes = tuple(_paper_name(name) for name in detectors if name.startswith("nn_vote_k"))
    of_paper = {"probe_score": ("LC",), "nn_margin": votes}
    return [
        TableRow(
            detector_title(name),
            (name, AVERAGE_PRECISION),
            _of_paper(PAPER_AVERAGE_PRECISION, of_paper.get(name, ())),
        )
        for name in detectors
    ]


def accuracy_rows(detectors: Sequence[str]) -> list[TableRow]:
    """The rows of Table 3: at each detector's own threshold, at a tuned one, and at the oracle's.

    Args:
        detectors: columns of `scores.parquet`, in the order of rows.
    """
    rows = []
    for name in detectors:
        title, paper = detector_title(name), _of_paper(PAPER_ACCURACY, (_paper_name(name),))
        rows += [
            TableRow(title, (name, ACCURACY), paper),
            TableRow(f"{title}, tuned", (name, f"{ACCURACY}_tuned")),
            TableRow(f"{title}, oracle *", (name, f"{ACCURACY}_oracle")),
        ]
    return rows


def _paper_name(detector: str) -> str:
    kind, _, k = detector.partition("_k")
    return {"probe_score": "LC", "nn_vote": f"NN, k = {k}"}.get(kind, "")


def _of_paper(figures: Mapping[str, Cells], names: Sequence[str]) -> tuple[tuple[str, Cells], ...]:
    return tuple((name, figures[name]) for name in names if name in figures)


def detector_title(detector: str) -> str:
    """What tables call the detector of a column of `scores.parquet`."""
    if detector.startswith(BASELINE_COLUMN):
        return detector.removeprefix(BASELINE_COLUMN)
    kind, _, k = detector.partition("_k")
    titles = {
        "probe_score": "probe",
        "nn_margin": "neighbours, margin",
        "nn_mean_margin": f"neighbours, mean margin of {k}",
    }
    return titles.get(kind, f"neighbours, vote of {k}")
