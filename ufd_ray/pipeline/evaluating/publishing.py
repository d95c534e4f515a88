"""The rows of a flow → a published evaluation: figures, scores, and the document last of all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.comparing.compared import features_columns
from ufd_ray.pipeline.evaluating.detectors_figure import draw_beside
from ufd_ray.pipeline.evaluating.document import DOCUMENT, describe
from ufd_ray.pipeline.evaluating.evaluation import Evaluation
from ufd_ray.pipeline.evaluating.figures import Figures, draw_figures
from ufd_ray.pipeline.evaluating.judgement import Judgement, judge
from ufd_ray.pipeline.evaluating.page import write_page
from ufd_ray.pipeline.evaluating.scores import collect, score_columns
from ufd_ray.pipeline.evaluating.sections import sections_of
from ufd_ray.pipeline.evaluating.spectra import Spectra
from ufd_ray.pipeline.evaluating.writing import write_figures, write_files
from ufd_ray.pipeline.sweeping.settings_of_sweeps import Swept
from ufd_ray.pipeline.sweeping.writing import sweep_drawings, write_sweeps
from ufd_ray.storage import printable, write_document


def publish(
    evaluation: Evaluation,
    tables: Iterable[Any],
    fingerprint: dict[str, Any],
    spectra: Spectra | None = None,
    swept: Swept | None = None,
    drawn: npt.NDArray[np.int64] | None = None,
) -> Outcome:
    """Judge all sets, write all files, and say what came out.

    Args:
        evaluation: what is evaluated.
        tables: `pa.Table`s of the flow's rows, in order; one at least.
        fingerprint: all that decides the figures.
        spectra: of some images of each set, to be drawn; None: nobody looked.
        swept: what was varied beside the flow; None: nothing was.
        drawn: positions of the images whose embeddings are drawn; None: of all that have one.

    Raises:
        UfdError: no set has scored images of both classes, the bank has images of one class alone,
            or a file cannot be written.
    """
    settings, detectors = evaluation.settings, evaluation.detectors
    columns = score_columns(detectors, settings.ks) + [one.column for one in evaluation.compared]
    k = settings.ks[-1] if detectors.bank else 0
    features = features_columns(evaluation.compared) if settings.figures else []
    collected = collect(tables, columns, k, drawn, features)
    found = judge(evaluation, columns, collected, swept or Swept())
    figures = None
    if settings.figures:
        figures = draw_figures(evaluation, found.sets, collected, found.scores, columns, spectra)
    files = _write(evaluation, found, figures)
    outcome = _outcome(evaluation, found)
    document = describe(evaluation, found, figures, files, fingerprint, outcome)
    told = found.lines()
    page = write_page(evaluation, document, found)
    complete = document | {"files": [*files, page]}
    write_document(settings.output, DOCUMENT, complete, evaluation.storage)
    _tell_left_out(found)
    print(*map(printable, told), sep="\n")
    print(f"written: {settings.output}/tables.md")
    return outcome


def _write(
    evaluation: Evaluation, found: Judgement, figures: Figures | None
) -> list[dict[str, Any]]:
    """Write all but the page and the document; what `evaluation.json` says of each file."""
    root, storage, sweeps = evaluation.settings.output, evaluation.storage, found.sweeps
    files = write_files(
        root,
        found.rows,
        found.columns,
        found.collected,
        found.sets.left_out,
        found.guard,
        storage,
        sweeps,
        sections_of(evaluation, found.rows, found.columns),
    )
    if sweeps:
        files += write_sweeps(root, sweeps, storage)
    if figures:
        drawings = figures.drawings | draw_beside(evaluation, found.rows, found.columns)
        files += write_figures(root, drawings | sweep_drawings(sweeps), storage)
    return files


def _outcome(evaluation: Evaluation, found: Judgement) -> Outcome:
    counts = found.counts()
    over = counts["failed"] / counts["images"] > evaluation.settings.max_error_rate
    return Outcome.PUBLISHED_WITH_ERRORS if over else Outcome.PUBLISHED


def _tell_left_out(found: Judgement) -> None:
    for name, why in found.sets.left_out.items():
        if found.collected.failed[name]:  # of the others it was said when they were listed
            print(printable(f"set {name} is left out: {why}"))
