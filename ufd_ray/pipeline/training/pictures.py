"""Rows of images → pixels for training: which recipe and which draw each row asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ufd_ray.images import ByRecipe, DecodeLimits, PixelRecipe, view_key
from ufd_ray.pipeline.banking.plan import BankPlan
from ufd_ray.pipeline.reading import decode_by_recipe
from ufd_ray.schema import LABELS, MANIFEST, STATUS

if TYPE_CHECKING:  # it brings torch, for which no process that reads images need wait
    from ufd_ray.baselines import Baseline

TRAIN, VAL, TEST = "train", "val", "test"
"""What a picture is for: which of a baseline's recipes makes it."""
PLACE, PURPOSE, DRAW = "place", "purpose", "draw"
"""Columns: an image's place among all that were surveyed, one of the words above, and the number of
the draw, an epoch's or 1."""


_OWN = {field.name for field in (*MANIFEST, *LABELS, *STATUS)} | {"data"}


@dataclass(frozen=True)
class Wanted:
    """What each row asks the decoder for.

    Attributes:
        recipes: by purpose.
        seed: of all draws.
    """

    recipes: Mapping[str, PixelRecipe]
    seed: int

    @classmethod
    def of(cls, baseline: Baseline, seed: int) -> Wanted:
        """By a baseline's recipes."""
        recipes = {
            TRAIN: baseline.train_pixels,
            VAL: baseline.validation_pixels,
            TEST: baseline.test_pixels,
        }
        return cls(recipes, seed)

    def __call__(self, rows: Any) -> list[ByRecipe | None]:
        """One a row.

        Args:
            rows: `pa.Table` with `content_hash`, null where there are no bytes, `PURPOSE` and
                `DRAW`.
        """
        columns = (rows[name].to_pylist() for name in (PURPOSE, DRAW, "content_hash"))
        return [
            None
            if content_hash is None
            else ByRecipe(self.recipes[purpose], view_key(content_hash, self.seed), number)
            for purpose, number, content_hash in zip(*columns, strict=True)
        ]


def look_at_images(
    rows: Any, *, plan: BankPlan, wanted: Wanted, limits: DecodeLimits, tally: Any
) -> Any:
    """Ray stage: see whether an image can be read, and on which side it is.

    Args:
        rows: `pa.Table` from `fetch_images`.
        plan: decides the side.
        wanted: how pixels are made; they are thrown away.
        limits: bounds of decoding.
        tally: where times are reported.

    Returns:
        The same rows without `data` and the manifest's further columns, with `split` (null where
        there are no bytes), `format`, `width`, `height`, and the error of those that cannot be
        read.
    """
    rows = plan.with_split(rows.select([one for one in rows.column_names if one in _OWN]))
    first = pa.array([1] * len(rows), pa.int32())
    rows = rows.append_column(PURPOSE, rows["split"]).append_column(DRAW, first)
    rows = decode_by_recipe(rows, wanted=wanted, limits=limits, tally=tally)
    return rows.drop_columns([PURPOSE, DRAW, "pixels"])


def make_pictures(rows: Any, *, wanted: Wanted, limits: DecodeLimits) -> Any:
    """Ray stage: rows that were fetched → what a worker wants of them, and nothing else.

    Args:
        rows: `pa.Table` from `fetch_images`, with `PLACE`, `PURPOSE`, `DRAW` and `label`.
        wanted: how pixels are made.
        limits: bounds of decoding.

    Returns:
        `pa.Table` with `PLACE`, `label` and `pixels`, null where there is an error.
    """
    rows = decode_by_recipe(rows, wanted=wanted, limits=limits)
    return rows.select([PLACE, "label", "pixels"])
