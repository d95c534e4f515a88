"""What all test sets come to, before the tables by set: a row a detector."""

from __future__ import annotations

from collections.abc import Sequence

from ufd_ray.evaluation.judging import ACCURACY, AVERAGE_PRECISION, ECE, ROC_AUC, TPR_AT_FPR
from ufd_ray.evaluation.markdown import cell_text, table_lines
from ufd_ray.evaluation.means import GROUP, Row
from ufd_ray.evaluation.paper.rows import detector_title

_NOT_KNOWN = "–"
_COLUMNS = {
    AVERAGE_PRECISION: "average precision",
    ROC_AUC: "ROC-AUC",
    **{
        metric: f"fakes found at {100 * bound:.0f} % of reals flagged"
        for metric, bound in TPR_AT_FPR.items()
    },
    ECE: "ECE",
    ACCURACY: "accuracy",
    f"{ACCURACY}_real": "of real images",
    f"{ACCURACY}_fake": "of fakes",
    f"{ACCURACY}_tuned": "tuned",
    f"{ACCURACY}_oracle": "oracle *",
}


def summary_lines(rows: Sequence[Row], detectors: Sequence[str]) -> list[str]:
    """Means over all sets of what is known, and how many images each set has.

    Args:
        rows: all figures of all sets.
        detectors: in the order of rows.

    Returns:
        Markdown, figures in per cent.
    """
    means = {(row.detector, row.metric): row.value for row in rows if row.set == f"{GROUP}all"}
    there = {metric for _, metric in means}
    metrics = [metric for metric in _COLUMNS if metric in there]
    figures = [
        [detector_title(name), *(_shown(means.get((name, metric))) for metric in metrics)]
        for name in detectors
    ]
    counts = {row.set: row for row in rows if not row.set.startswith(GROUP)}
    images = [
        [cell_text(name), f"{row.n_real:,}", f"{row.n_fake:,}"] for name, row in counts.items()
    ]
    return [
        "## All test sets",
        "",
        *table_lines(["detector", *(_COLUMNS[metric] for metric in metrics)], figures),
        "",
        "## Images",
        "",
        *table_lines(["set", "real images", "fakes"], images),
    ]


def _shown(value: float | None) -> str:
    return _NOT_KNOWN if value is None else f"{100 * value:.2f}"
