"""Where mistakes fall: accuracy by class in the form of the paper's Table 1, and in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ufd_ray.evaluation.judging import ACCURACY
from ufd_ray.evaluation.markdown import cell_text
from ufd_ray.evaluation.means import GROUP, Row
from ufd_ray.evaluation.paper.figures import PAPER_ACCURACY_BY_CLASS
from ufd_ray.evaluation.paper.rows import detector_title
from ufd_ray.evaluation.paper.sets import PAPER_SETS

_ABOUT = (
    "Accuracy on real images and on fakes, in per cent, at each detector's own threshold.",
    "`mistakes`: the share of its mistakes that are fakes called real, as if sets had as many",
    "fakes as real images. Near 100, whatever is new to it is real (the paper's *sink class*).",
)
_REAL, _FAKE = f"{ACCURACY}_real", f"{ACCURACY}_fake"
_ROWS = {"real": _REAL, "fake": _FAKE, "average": ACCURACY}
_NONE = "–"


@dataclass(frozen=True)
class Mistakes:
    """How often a detector is wrong, 0 … 1, each set counting as much as another.

    Attributes:
        real: share of real images that it calls fake.
        fake: share of fakes that it calls real.
    """

    real: float
    fake: float

    @classmethod
    def over(cls, rights: Iterable[tuple[float, float]]) -> Mistakes:
        """Of accuracies on real images and on fakes, of one set at least."""
        real, fake = 1 - np.mean(list(rights), axis=0)
        return cls(float(real), float(fake))

    @property
    def of_fakes(self) -> float | None:
        """Share of mistakes that are fakes called real, of classes of one size; None: none are."""
        both = self.real + self.fake
        return self.fake / both if both else None


def class_lines(
    rows: Iterable[Row],
    detectors: Sequence[str],
    seen: Mapping[str, Collection[str]],
    like_table_1: Collection[str] = (),
) -> list[str]:
    """The section of `tables.md`.

    Args:
        rows: all figures of all sets; means are made anew.
        detectors: in the order of rows.
        seen: detector → the test sets that are of a source it was made from, where one is known.
        like_table_1: the detectors that the paper's Table 1 is about.

    Returns:
        Markdown, figures in per cent.
    """
    values = {
        (row.detector, row.metric, row.set): row.value
        for row in rows
        if row.metric in _ROWS.values() and not row.set.startswith(GROUP)
    }
    sets = list(dict.fromkeys(name for _, _, name in values))
    heads = [PAPER_SETS.get(name, cell_text(name)) for name in sets]
    lines = ["## Where mistakes fall (Table 1)", "", *_ABOUT, ""]
    lines += [f"| detector | class | {' | '.join([*heads, 'mean'])} |"]
    lines += ["|---|---|" + "---:|" * (len(sets) + 1)]
    told = [""]
    for detector in detectors:
        title = detector_title(detector)
        for word, metric in _ROWS.items():
            cells = [100 * values[detector, metric, name] for name in sets]
            lines.append(_line(title, word, [*cells, float(np.mean(cells))]))
        right = {n: (values[detector, _REAL, n], values[detector, _FAKE, n]) for n in sets}
        of_sets = [Mistakes.over([one]) for one in right.values()]
        shares = [one.of_fakes for one in (*of_sets, Mistakes.over(right.values()))]
        cells_of_shares = [None if share is None else 100 * share for share in shares]
        lines.append(_line(title, "mistakes", cells_of_shares))
        if detector in like_table_1:
            lines += _of_paper(sets)
        told += _told(title, right, seen.get(detector, ()))
    return lines + told


def _of_paper(sets: Sequence[str]) -> list[str]:
    """What Table 1 has of these sets."""
    return [
        _line("the paper's trained network", word, [*map(cells.get, sets), None])
        for word, cells in PAPER_ACCURACY_BY_CLASS.items()
        if any(name in cells for name in sets)
    ]


def _line(title: str, word: str, cells: Sequence[float | None]) -> str:
    shown = [_NONE if cell is None else f"{cell:.2f}" for cell in cells]
    return f"| {title} | {word} | {' | '.join(shown)} |"


def _told(title: str, right: Mapping[str, tuple[float, float]], seen: Collection[str]) -> list[str]:
    """The same in words: over sets that it does not know, and over those that it does."""
    known = [name for name in right if name in seen]
    others = [name for name in right if name not in seen]
    of_known = f"sets of what it was made from ({', '.join(map(cell_text, known))})"
    lines = []
    for what, names in (("unseen sets" if known else "all sets", others), (of_known, known)):
        if not names:
            continue
        found = Mistakes.over(right[name] for name in names)
        share = found.of_fakes
        line = f"- {title}, {what}: calls {100 * found.fake:.2f} % of fakes real and"
        line += f" {100 * found.real:.2f} % of real images fake"
        lines.append(
            line if share is None else f"{line}; {100 * share:.1f} % of mistakes are fakes"
        )
    return lines
