"""What was said at every setting, by the images of the evaluation: ready to be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ufd_ray.evaluation import Row, ScoreColumn
from ufd_ray.evaluation.sweeps import Setting
from ufd_ray.pipeline.evaluating.scores import VOTE
from ufd_ray.pipeline.sweeping.by_bank import ByBank
from ufd_ray.pipeline.sweeping.forms import SweptForm, scores_of_forms
from ufd_ray.pipeline.sweeping.scoring import Scores
from ufd_ray.schema import MEAN_MARGIN
from ufd_ray.settings import OWN


@dataclass(frozen=True)
class Swept:
    """What sweeps beside the flow came to.

    Attributes:
        sizes: number of training images → what was said of all scored images, in their order.
        banks: name of a bank → what was said by it.
        encoders: name of a bank → its encoder, in words.
    """

    sizes: Mapping[int, Scores] = field(default_factory=dict)
    banks: Mapping[str, ByBank] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unswept:
    """The evaluation itself: a setting of most sweeps.

    Attributes:
        columns: its detectors.
        scores: (n,) by column.
        rows: its figures.
        image_ids: of the n images.
    """

    columns: Sequence[ScoreColumn]
    scores: Scores
    rows: Sequence[Row]
    image_ids: Sequence[str]

    def named(self, name: str, note: str = "") -> Setting:
        """As a setting."""
        return Setting(name, self.columns, self.scores, self.rows, note)


def settings_of_sweeps(
    own: Unswept, forms: Sequence[SweptForm], form_scores: Any, swept: Swept
) -> dict[str, list[Setting]]:
    """Every sweep's settings, in the order of sections.

    Args:
        own: the evaluation itself.
        forms: settings of the sweeps over forms.
        form_scores: `FORM_SCORES` of all scored images: what was said of the forms that are not
            the image as it is; None: there are none.
        swept: all other sweeps.
    """
    found: dict[str, list[Setting]] = {}
    made = [one for one in forms if one.form is not None]
    names = [column.name for column in own.columns]
    scores = iter(scores_of_forms(form_scores, len(made), names) if made else ())
    for one in forms:
        as_it_is = one.form is None
        setting = (
            own.named(one.setting) if as_it_is else Setting(one.setting, own.columns, next(scores))
        )
        found.setdefault(one.sweep, []).append(setting)
    if swept.sizes:
        found["train_size"] = [
            Setting(str(size), fitted_columns(by), by) for size, by in swept.sizes.items()
        ]
    if swept.banks:
        place = {name: number for number, name in enumerate(own.image_ids)}
        found["bank"] = [own.named(OWN, swept.encoders[OWN])]
        for name, by_bank in swept.banks.items():
            rows = np.array([place.get(image, -1) for image in by_bank.image_ids], np.int64)
            aligned = {
                column: _placed(values, rows, len(own.image_ids))
                for column, values in by_bank.scores.items()
            }
            columns = fitted_columns(aligned)
            found["bank"].append(Setting(name, columns, aligned, note=swept.encoders[name]))
    return found


def fitted_columns(scores: Scores) -> list[ScoreColumn]:
    """The detectors of a bank with a probe that was fitted on it, at their own thresholds."""
    columns = [ScoreColumn("probe_score", 0.5), ScoreColumn("nn_margin", 0.0, is_share=False)]
    columns += [ScoreColumn(name, 0.5) for name in scores if name.startswith(VOTE)]
    means = [name for name in scores if name.startswith(MEAN_MARGIN)]
    return columns + [ScoreColumn(name, 0.0, is_share=False) for name in means]


def _placed(
    values: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], num: int
) -> npt.NDArray[np.float32]:
    """(num,), NaN where no value is for; values for -1 are for none."""
    placed = np.full(num, np.nan, np.float32)
    placed[rows[rows >= 0]] = values[rows >= 0]
    return placed
