"""The rows of a flow → a published evaluation: figures, scores, and the document last of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray import __version__
from ufd_ray.errors import UfdError
from ufd_ray.evaluation import SetPlan, judge_sets, plan_sets
from ufd_ray.evaluation.sweeps import judge_sweep
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.comparing.compared import describe_compared, section_of
from ufd_ray.pipeline.evaluating.account import (
    count_images,
    describe_groups,
    describe_sets,
    lines_of,
    names_and_labels,
)
from ufd_ray.pipeline.evaluating.bias import guard_sets
from ufd_ray.pipeline.evaluating.figures import draw_figures
from ufd_ray.pipeline.evaluating.page import write_page
from ufd_ray.pipeline.evaluating.scores import collect, score_columns
from ufd_ray.pipeline.evaluating.scoring import Judged
from ufd_ray.pipeline.evaluating.spectra import Spectra
from ufd_ray.pipeline.evaluating.writing import write_figures, write_files
from ufd_ray.pipeline.sweeping.settings_of_sweeps import Swept, Unswept, settings_of_sweeps
from ufd_ray.pipeline.sweeping.writing import describe_sweeps, sweep_drawings, write_sweeps
from ufd_ray.schema import REAL
from ufd_ray.storage import utc_now, write_document

DOCUMENT = "evaluation.json"
_VERSIONS = ("torch", "pillow", "numpy", "scikit-learn", "matplotlib")


def publish(
    judged: Judged,
    tables: Iterable[Any],
    fingerprint: dict[str, Any],
    spectra: Spectra | None = None,
    swept: Swept | None = None,
    drawn: npt.NDArray[np.int64] | None = None,
) -> Outcome:
    """Judge all sets, write all files, and say what came out.

    Args:
        judged: what is evaluated.
        tables: `pa.Table`s of the flow's rows, in order; one at least.
        fingerprint: all that decides the figures.
        spectra: of some images of each set, to be drawn; None: nobody looked.
        swept: what was varied beside the flow; None: nothing was.
        drawn: positions of the images whose embeddings are drawn; None: of all that have one.

    Raises:
        UfdError: no set has scored images of both classes, the bank has images of one class alone,
            or a file cannot be written.
    """
    settings, detectors = judged.settings, judged.detectors
    own_columns = score_columns(detectors, settings.ks)
    columns = own_columns + [one.column for one in judged.compared]
    k = settings.ks[-1] if detectors.bank else 0
    collected = collect(tables, columns, k, drawn)
    names, labels = names_and_labels(collected)
    sets = _plan(names, labels, collected.failed)
    if not sets.reals_of:
        raise UfdError(
            "no test set has both real and fake images that could be scored:"
            f" {len(collected.rejected):,} failed, {_by_code(collected.rejected)}"
        )
    if detectors.bank and collected.scores["nn_margin"].null_count:
        raise UfdError(
            f"bank {detectors.bank.uri}: it has images of one class to search, so no margin; both"
            " are needed"
        )
    scores = {column.name: np.asarray(collected.scores[column.name]) for column in columns}
    rows = judge_sets(sets, names, labels, scores, columns, seed=settings.seed)
    guard = guard_sets(sets, collected, judged.alignment, settings.seed)
    swept_rows = [row for row in rows if row.detector in {c.name for c in own_columns}]
    own = Unswept(own_columns, scores, swept_rows, collected.scores["image_id"].to_pylist())
    varied = settings_of_sweeps(own, judged.forms, collected.forms, swept or Swept())
    sweeps = [
        judge_sweep(name, some, sets, names, labels, seed=settings.seed)
        for name, some in varied.items()
    ]
    files = write_files(
        settings.output,
        rows,
        columns,
        collected,
        sets.left_out,
        guard,
        judged.storage,
        sweeps,
        section_of(judged.compared),
    )
    if sweeps:
        files += write_sweeps(settings.output, sweeps, judged.storage)
    figures = None
    if settings.figures:
        figures = draw_figures(judged, sets, collected, scores, columns, spectra)
        drawings = figures.drawings | sweep_drawings(sweeps)
        files += write_figures(settings.output, drawings, judged.storage)
    counts = count_images(sets, collected)
    over = counts["failed"] / counts["images"] > settings.max_error_rate
    outcome = Outcome.PUBLISHED_WITH_ERRORS if over else Outcome.PUBLISHED
    document = {
        "outcome": outcome.word,
        "evaluated_at": utc_now(),
        **_identities(judged),
        "detectors": {c.name: {"default": c.default, "tuned": c.tuned} for c in columns},
        "baselines": describe_compared(judged.compared),
        "counts": counts,
        "sets": describe_sets(sets, collected),
        "left_out": sets.left_out,
        "groups": describe_groups(sets),
        "alignment": asdict(alignment) if (alignment := judged.alignment) else None,
        "format_bias": guard.to_dict() if guard else None,
        "figures": figures.facts if figures else None,
        "sweeps": describe_sweeps(sweeps),
        "files": files,
        "settings": settings.model_dump(mode="json"),
        "fingerprint": fingerprint,
    }
    told = [*lines_of(rows, columns, counts), *(guard.lines() if guard else [])]
    files.append(write_page(judged, document, rows, told, sets, collected, columns[0]))
    write_document(settings.output, DOCUMENT, document, judged.storage)
    for name, why in sets.left_out.items():
        if collected.failed[name]:  # of the others it was said when they were listed
            print(f"set {name} is left out: {why}")
    print(*told, sep="\n")
    print(f"written: {settings.output}/tables.md")
    return outcome


def _plan(names: Any, labels: Any, failed: Counter[str]) -> SetPlan:
    """What can be judged by the images that were scored; sets that have none are told as well."""
    counts = Counter(zip(names.tolist(), labels.tolist(), strict=True))
    for name in failed:
        counts.setdefault((name, REAL), 0)
    plan = plan_sets(counts)
    left_out = {
        name: f"{why} ({failed[name]:,} failed)" if failed[name] else why
        for name, why in plan.left_out.items()
    }
    return replace(plan, left_out=left_out)


def _identities(judged: Judged) -> dict[str, Any]:
    detectors, plan = judged.detectors, judged.plan
    facts = detectors.describe(plan.precision, plan.device)
    names = ("encoder", "encoder_id", "weights_are_random", "precision", "device", "dtype")
    contents = detectors.contents()
    return {
        **{name: facts[name] for name in (*names, "bank", "probe")},
        **{name: contents[name] for name in ("bank_content", "probe_content")},
        "versions": {"ufd-ray": __version__} | {name: version(name) for name in _VERSIONS},
    }


def _by_code(rejected: Any) -> str:
    codes = rejected["error_code"].value_counts().to_pylist()
    return ", ".join(f"{entry['counts']:,} {entry['values']}" for entry in codes) or "for no reason"
