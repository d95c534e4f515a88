"""What each row asks the decoder for."""

from __future__ import annotations

import pyarrow as pa

from ufd_ray.images import ByRecipe, PixelRecipe, view_key
from ufd_ray.pipeline.training.pictures import DRAW, PURPOSE, Wanted


def test_each_row_asks_for_its_own_recipe_and_draw() -> None:
    train, test = PixelRecipe(8, crop="random"), PixelRecipe(8)
    wanted = Wanted({"train": train, "test": test}, seed=4)
    rows = pa.table(
        {
            PURPOSE: ["train", "test", None, "train"],
            DRAW: [7, 1, 1, 8],
            "content_hash": ["ab" * 32, "cd" * 32, None, "ab" * 32],
        }
    )
    key = view_key("ab" * 32, 4)
    assert wanted(rows) == [
        ByRecipe(train, key, 7),
        ByRecipe(test, view_key("cd" * 32, 4), 1),
        None,
        ByRecipe(train, key, 8),
    ]
