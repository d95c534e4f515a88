"""The worst mistakes of an evaluation, to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from ufd_ray.evaluation import ScoreColumn, SetPlan
from ufd_ray.pipeline.evaluating.account import names_and_labels
from ufd_ray.pipeline.evaluating.scores import Collected
from ufd_ray.pipeline.reporting.cards import name_in
from ufd_ray.pipeline.reporting.picks import Lowest
from ufd_ray.pipeline.reporting.survey import NUM_CARDS
from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import SIDE, Card, Gallery, Picture
from ufd_ray.schema import FAKE, REAL
from ufd_ray.storage import Known

_KINDS = (
    (REAL, -1, "Real images most like fakes", "The real images with the highest scores"),
    (FAKE, 1, "Fakes most like real images", "The fakes with the lowest scores"),
)


def show_mistakes(
    plan: SetPlan,
    collected: Collected,
    column: ScoreColumn,
    looking: Looking,
    heat: Callable[[Sequence[Known]], list[Picture]] | None = None,
) -> tuple[Gallery, ...]:
    """The real images with the highest scores, and the fakes with the lowest, of all sets judged.

    Args:
        plan: which images were used.
        collected: what was said of them.
        column: the detector whose scores count.
        looking: makes thumbnails.
        heat: images → where each looks generated; None: the detector does not say.
    """
    names, labels = names_and_labels(collected)
    scores = np.asarray(collected.scores[column.name], np.float64)
    used = plan.used(names, labels)
    chosen = []
    for label, sign, *_ in _KINDS:
        lowest, among = Lowest(NUM_CARDS), used & (labels == label)
        if among.any():
            lowest.add(collected.scores.filter(among), sign * scores[among])
        chosen.append(lowest.rows())
    wanted = [Known(row["uri"], member=row["member"]) for rows in chosen for row in rows]
    pictures = iter(looking.look(wanted, SIDE))
    maps: Iterator[Picture | None] = iter(heat(wanted)) if heat else repeat(None)
    where = " Below each, where it looks generated, in yellow, by patches." if heat else ""
    return tuple(
        Gallery(
            title,
            f"{words} by {column.name}, of all sets.{where}",
            _cards(rows, column, pictures, maps),
        )
        for (_, _, title, words), rows in zip(_KINDS, chosen, strict=True)
    )


def _cards(
    rows: Sequence[Mapping[str, Any]],
    column: ScoreColumn,
    pictures: Iterator[Picture],
    maps: Iterator[Picture | None],
) -> tuple[Card, ...]:
    return tuple(
        Card(
            name_in(row),
            (
                f"{_word(row['label'])}, called {_word(row[column.name] > column.default)}",
                f"{column.name} {row[column.name]:.3f} · set {row['set']}",
            ),
            next(pictures),
            heat=next(maps),
        )
        for row in rows
    )


def _word(is_fake: object) -> str:
    return "fake" if is_fake else "real"
