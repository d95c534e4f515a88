"""The tables of an evaluation's page."""

from __future__ import annotations

from ufd_ray.report.evaluation_figures import (
    ALL,
    IN_ROWS,
    EvaluationFigures,
    name_of_group,
    plain_name_of_group,
    whole,
)
from ufd_ray.report.evaluation_matrix import MOST_SETS, matrix
from ufd_ray.report.facts import grid
from ufd_ray.report.folded import fold
from ufd_ray.report.page import escape

MOST_FOLDED = 20
"""Sets of which all figures are on the page."""
_RANKING = {
    "average_precision": "average precision",
    "roc_auc": "ROC-AUC",
    "tpr_at_1_percent_fpr": "fakes found at 1 % of reals flagged",
    "tpr_at_5_percent_fpr": "fakes found at 5 % of reals flagged",
    "ece": "ECE",
}
_VERDICTS = {
    "accuracy": "accuracy, mean of both",
    "accuracy_real": "real images right",
    "accuracy_fake": "fakes right",
    "accuracy_tuned": "accuracy, tuned",
    "accuracy_oracle": "accuracy, best *",
}
_ECE = "; ECE: how far scores lie from probabilities, 0 at best"
_MISTAKES = "; mistakes: real images called fake / fakes called real"
_BEST = "; *: at the best threshold for these very images, an upper bound"
_BY_SET = {
    "average_precision": "Average precision, per cent",
    "accuracy": "Accuracy at each detector’s own threshold, mean of both classes, per cent",
}


def main_tables(figures: EvaluationFigures) -> list[str]:
    """What all sets come to: a row a detector; of a single set, that set's own figures."""
    name, *others = figures.sets
    if others:
        num = len(figures.sets)
        return [
            f"<h2>All {num:,} test sets</h2>",
            '<p class="note">Means over all sets, each of which counts as much as another.</p>',
            *_tables_of(figures, ALL, ""),
        ]
    return [f"<h2>Test set {_titled(figures, name)}</h2>", *_tables_of(figures, name, "")]


def set_tables(figures: EvaluationFigures) -> list[str]:
    """Average precision and accuracy by set, and then all figures of each set; none of one set."""
    if len(figures.sets) < 2:
        return []
    lines = ["<h2>By test set</h2>"]
    for metric, words in _BY_SET.items():
        lines.append(matrix(figures, metric, words))
    if (num := len(figures.sets)) > MOST_SETS:
        lines.append(_note(f"The first {MOST_SETS} of {num:,} sets; metrics.csv has all."))
    groups = [name for name in figures.groups if name != ALL]
    for name in [*list(figures.sets)[:MOST_FOLDED], *groups]:
        of = plain_name_of_group(name, IN_ROWS)
        lines += fold(_titled(figures, name), _tables_of(figures, name, of))
    if num > MOST_FOLDED:
        lines.append(_note(f"All figures of the first {MOST_FOLDED} sets; metrics.csv has all."))
    return lines


def _titled(figures: EvaluationFigures, name: str) -> str:
    shown = name_of_group(name, IN_ROWS)
    if name not in figures.sets:
        return shown
    images = figures.sets[name]
    return f"{shown}: {images['n_real']:,} real images, {images['n_fake']:,} fakes"


def _tables_of(figures: EvaluationFigures, name: str, of: str) -> list[str]:
    """A row a detector, a column a metric; captions say whose they are where `of` does."""
    ranking = {metric: words for metric, words in _RANKING.items() if figures.has(metric)}
    verdicts = {metric: words for metric, words in _VERDICTS.items() if figures.has(metric)}
    has_ece, has_best = "ece" in ranking, "accuracy_oracle" in verdicts
    has_mistakes = name in figures.sets
    return [
        grid(
            _caption(of, f"how well fakes rank above real images, per cent{_ECE * has_ece}"),
            ["detector", *map(escape, ranking.values())],
            [
                [whole(title), *(figures.cell(name, detector, metric) for metric in ranking)]
                for detector, title in figures.detectors.items()
            ],
        ),
        grid(
            _caption(
                of,
                "what is called real and fake at each detector’s own threshold, per cent"
                f"{_MISTAKES * has_mistakes}{_BEST * has_best}",
            ),
            ["detector", *map(escape, verdicts.values()), *["mistakes"] * has_mistakes],
            [
                [
                    whole(title),
                    *(figures.cell(name, detector, metric) for metric in verdicts),
                    *([figures.mistakes(name, detector)] if has_mistakes else []),
                ]
                for detector, title in figures.detectors.items()
            ],
        ),
    ]


def _caption(of: str, words: str) -> str:
    return f"{of}: {words}" if of else f"{words[0].upper()}{words[1:]}"


def _note(words: str) -> str:
    return f'<p class="note">{words}</p>'
