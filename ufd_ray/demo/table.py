"""A demo run's scores → the text that the demo prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ufd_ray.demo.figures import (
    NUM_DRAWS,
    NUM_LABELLED,
    Detector,
    Figures,
    figures_by_generator,
)
from ufd_ray.demo.pictures import TRAINED_ON
from ufd_ray.schema import REAL

_ROW = "  {:<24}" + 2 * "{:>9}{:>7}{:>8}{:>10}"
"""What stands in a row for both detectors: average precision and three accuracies."""

_NOTES = """\
  Each generator: {num_fakes} fakes, against the same {num_real} photographs.
  AP       average precision: how well fakes are ranked above photographs
  at 0.5   accuracy at the threshold that takes no labelled images (at 0: of the margin)
  tuned    accuracy at the threshold tuned on {num_val} held-out images of the generator trained on
  {own:<8} accuracy when calibrated on {few} labelled fakes of this very generator and {few}
           photographs, judged on all others (mean of {draws} draws)"""


def render(scores: Any, detectors: Sequence[Detector], num_val: int, seed: int) -> str:
    """Counts by status, both detectors' figures by generator, one row with its neighbours.

    Args:
        scores: `pa.Table` of a run's scores, with the manifest's columns `label` and `source`.
        detectors: the probe, then the neighbours.
        num_val: held-out images by which their thresholds were tuned.
        seed: draws the images that are labelled.
    """
    figures = _figures(scores, detectors, num_val, seed)
    return "\n".join([_statuses(scores), "", figures, "", _example(scores)])


def _statuses(scores: Any) -> str:
    codes = Counter(scores["error_code"].drop_null().to_pylist())
    scored = scores["status"].to_pylist().count("scored")
    lines = [f"Of {len(scores)} images", f"  {'scored':<24}{scored:>7}"]
    lines += [f"  {'error ' + code:<24}{n:>7}" for code, n in sorted(codes.items())]
    return "\n".join(lines)


def _figures(scores: Any, detectors: Sequence[Detector], num_val: int, seed: int) -> str:
    rows = scores.filter(np.asarray(scores["status"].to_pylist()) == "scored")
    sources = Counter(rows["source"].to_pylist())
    own = f"{2 * NUM_LABELLED} own"
    lines = [
        f"  {'':<24}{'linear probe':>34}{'margin of the neighbours':>34}",
        _ROW.format("generator", "AP", "at 0.5", "tuned", own, "AP", "at 0", "tuned", own),
    ]
    for name, found in figures_by_generator(rows, detectors, seed).items():
        seen = " (trained on)" if name == TRAINED_ON else ""
        cells = [cell for figures in found for cell in _cells(figures)]
        lines.append(_ROW.format(name + seen, *cells))
    notes = _NOTES.format(
        num_fakes=sources[TRAINED_ON],
        num_real=rows["label"].to_pylist().count(REAL),
        num_val=num_val,
        own=own,
        few=NUM_LABELLED,
        draws=NUM_DRAWS,
    )
    return "\n".join([*lines, "", notes])


def _cells(figures: Figures) -> list[str]:
    found = (figures.average_precision, figures.at_default, figures.at_tuned, figures.labelled)
    return ["–" if figure is None else f"{figure:.2f}" for figure in found]


def _example(scores: Any) -> str:
    row = next(r for r in scores.to_pylist() if r["verdict"] == "fake")
    lines = [
        "One row of the scores",
        f"  uri          …/{'/'.join(row['uri'].split('/')[-3:])}",
        f"  verdict      {row['verdict']}   (in truth: {'fake' if row['label'] else 'real'},"
        f" {row['source']})",
        f"  probe_score  {row['probe_score']:.3f}   probe_probability"
        f" {row['probe_probability']:.3f}",
        f"  nn_vote      {row['nn_vote']:.3f}   nn_margin {row['nn_margin']:+.4f}",
        "  neighbors",
    ]
    lines += [
        f"    {n['similarity']:.4f}  {'fake' if n['label'] else 'real'}  {n['source']}"
        for n in row["neighbors"][:3]
    ]
    return "\n".join(lines)
