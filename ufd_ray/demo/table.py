"""A demo run's scores → the text that the demo prints."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.demo.pictures import GENERATORS, TRAINED_ON
from ufd_ray.evaluation import accuracy_at, average_precision
from ufd_ray.schema import REAL

_AGAINST_ALL_REALS = "  {:<24}{:>7}{:>10.2f}{:>9.2f}{:>12.2f}{:>9.2f}"


def render(scores: Any) -> str:
    """Counts by status, both detectors' figures by generator, one row with its neighbours.

    Args:
        scores: `pa.Table` of a run's scores, with the manifest's columns `label` and `source`.
    """
    return "\n".join([_statuses(scores), "", _figures(scores), "", _example(scores)])


def _statuses(scores: Any) -> str:
    codes = Counter(scores["error_code"].drop_null().to_pylist())
    scored = scores["status"].to_pylist().count("scored")
    lines = [f"Of {len(scores)} images", f"  {'scored':<24}{scored:>7}"]
    lines += [f"  {'error ' + code:<24}{n:>7}" for code, n in sorted(codes.items())]
    return "\n".join(lines)


def _figures(scores: Any) -> str:
    lines = [
        f"  {'':<24}{'':>7}{'linear probe':>19}{'nearest neighbours':>21}",
        f"  {'generator':<24}{'fakes':>7}{'AP':>10}{'acc':>9}{'AP':>12}{'acc':>9}",
    ]
    rows = scores.filter(np.asarray(scores["status"].to_pylist()) == "scored")
    labels = np.asarray(rows["label"], np.int8)
    sources = np.asarray(rows["source"].to_pylist())
    for name in GENERATORS:
        seen = " (trained on)" if name == TRAINED_ON else ""
        chosen = (labels == REAL) | (sources == name)
        figures = _judge(rows, labels, chosen)
        count = int((sources == name).sum())
        lines.append(_AGAINST_ALL_REALS.format(name + seen, count, *figures))
    return "\n".join(lines)


def _judge(rows: Any, labels: npt.NDArray[np.int8], chosen: npt.NDArray[np.bool_]) -> list[float]:
    truth = labels[chosen]
    figures = []
    # A vote among 9 has ten values: too few to rank by, so the neighbours' AP goes by the margin.
    for ranked, decided in (("probe_score", "probe_score"), ("nn_margin", "nn_vote")):
        figures.append(average_precision(truth, rows[ranked].to_numpy()[chosen]))
        figures.append(accuracy_at(truth, rows[decided].to_numpy()[chosen], 0.5).overall)
    return figures


def _example(scores: Any) -> str:
    row = next(r for r in scores.to_pylist() if r["verdict"] == "fake")
    lines = [
        "One row of the scores",
        f"  uri          …/{'/'.join(row['uri'].split('/')[-3:])}",
        f"  verdict      {row['verdict']}   (in truth: {'fake' if row['label'] else 'real'},"
        f" {row['source']})",
        f"  probe_score  {row['probe_score']:.3f}",
        f"  nn_vote      {row['nn_vote']:.3f}   nn_margin {row['nn_margin']:+.4f}",
        "  neighbors",
    ]
    lines += [
        f"    {n['similarity']:.4f}  {'fake' if n['label'] else 'real'}  {n['source']}"
        for n in row["neighbors"][:3]
    ]
    return "\n".join(lines)
