"""Tables of an evaluation's page that stand below a line that opens them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ufd_ray.evaluation import Row
from ufd_ray.evaluation.judging import ACCURACY, AVERAGE_PRECISION
from ufd_ray.evaluation.paper.comparison import HEADINGS, Compared, all_compared
from ufd_ray.evaluation.paper.rows import detector_title
from ufd_ray.evaluation.sweeps import KINDS, Sweep, mean_figures
from ufd_ray.report import Folded, Table

_NOT_KNOWN = "–"
_METRICS = {AVERAGE_PRECISION: "average precision", ACCURACY: "accuracy"}
_OF_TABLES = {"Table 2": "Average precision (Table 2)", "Table 3": "Accuracy (Table 3)"}
_HOW_TO_READ = (
    "The paper’s figure, and in brackets how far ours lies from it. Its figures are of its own"
    " images, with CLIP ViT-L/14 and a bank and probe of ProGAN’s; what is not known is left out."
)


def short_title(detector: str) -> str:
    """What the page calls the detector of a column: all but the probe are the neighbours'."""
    return short(detector_title(detector))


def short(title: str) -> str:
    """A title of `detector_title` for a page that has said whose they are."""
    return title.removeprefix("neighbours, ")


def paper_tables(rows: Sequence[Row], detectors: Sequence[str]) -> list[Folded]:
    """The paper's figures beside ours; nothing where no set is one of the paper's.

    Args:
        rows: all figures of all sets.
        detectors: their columns, in order.
    """
    tables = [
        _comparison(_OF_TABLES[title], found)
        for title, found in all_compared(rows, detectors).items()
    ]
    tables = [table for table in tables if table.rows]
    return [Folded("Tables 2 and 3", (_HOW_TO_READ,), tables)] if tables else []


def _comparison(title: str, found: Sequence[Compared]) -> Table:
    keys = [key for key in HEADINGS if any(key in one.apart for one in found)]
    return Table(
        f"{title}, per cent",
        ["set", *(f"{short(one.title)} ({_whole(one.of_paper)})" for one in found)],
        [[HEADINGS[key], *(_beside(one, key) for one in found)] for key in keys],
    )


def _whole(name: str) -> str:
    """In one line: `NN,` may stand alone, `k = 1` not be parted."""
    return name.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")


def _beside(one: Compared, key: str) -> str:
    if key not in one.apart:
        return _NOT_KNOWN
    return f"{one.theirs[key]:.2f} ({one.apart[key]:+.2f})"


def sweep_tables(sweeps: Sequence[Sweep]) -> list[Folded]:
    """The means of each sweep, and its drawings."""
    return [_sweep(sweep) for sweep in sweeps]


def _sweep(sweep: Sweep) -> Folded:
    kind = KINDS[sweep.name]
    words = [_plain(kind.about), *(f"{name}: {note}" for name, note in sweep.notes.items())]
    if sweep.left_out:
        named = ", ".join(sweep.left_out)
        words.append(f"Not judged here, for lack of images that all settings scored: {named}.")
    tables = [
        Table(
            f"{kind.title}: mean {metric_words} over all sets, per cent, by {kind.axis}",
            ["detector", *sweep.settings],
            _rows(mean_figures(sweep, metric)),
        )
        for metric, metric_words in _METRICS.items()
    ]
    tables = [table for table in tables if table.rows]
    drawings = [f"figures/sweep-{sweep.name}{end}" for end in ("", "-accuracy")]
    return Folded(kind.title, words, tables, drawings)


def _rows(means: Mapping[str, Sequence[float]]) -> list[list[str]]:
    return [
        [
            short(title),
            *(_NOT_KNOWN if math.isnan(mean) else f"{mean:.2f}" for mean in of_settings),
        ]
        for title, of_settings in means.items()
    ]


def _plain(markdown: str) -> str:
    return markdown.replace("**", "").replace("`", "")
