"""What was found of all images before training."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from ufd_ray.errors import UfdError
from ufd_ray.pipeline.training.survey import require_both_classes, sum_up
from ufd_ray.schema import IMAGE, OFFSET, STATUS


def surveyed(splits: list[str | None], labels: list[int], codes: list[str | None]) -> Any:
    num = len(splits)
    columns: dict[str, Any] = {}
    for field in (*IMAGE, OFFSET, *STATUS):
        if field.name in ("status", "duplicate_of"):
            continue  # these come later
        columns[field.name] = pa.nulls(num, field.type)
    columns["image_id"] = pa.array([f"{row:032x}" for row in range(num)])
    columns["uri"] = pa.array([f"/{row}.png" for row in range(num)])
    columns["error_code"] = pa.array(codes, pa.string())
    columns |= {
        "label": pa.array(labels, pa.int8()),
        "split": pa.array(splits, pa.string()),
        "source": pa.array(["a", None, "b", "a"][:num], pa.string()),
    }
    return pa.table(columns)


def test_what_was_found_is_summed_up() -> None:
    tables = [
        surveyed(["train", "val", None, "train"], [0, 1, 1, 1], [None, None, "not_found", None]),
        surveyed(["train", "val"], [1, 0], ["corrupt", None]),
    ]
    found = sum_up(tables)
    assert found.images["uri"].to_pylist() == ["/0.png", "/1.png", "/3.png", "/1.png"]
    assert found.rejected["error_code"].to_pylist() == ["not_found", "corrupt"]
    assert found.counts == {
        "images": 6,
        "failed": 2,
        "by_error_code": {"not_found": 1, "corrupt": 1},
        "train": {"label": {"0": 1, "1": 1}, "source": {"a": 2}},
        "val": {"label": {"1": 1, "0": 1}, "source": {}},
    }
    require_both_classes(found)


@pytest.mark.parametrize(
    ("splits", "complaint"),
    [
        (["train", "train", "train", "val"], "0 real and 1 fake ones validate"),
        (["val", "val", "train", "val"], "1 real and 0 fake ones train"),
    ],
)
def test_a_side_without_a_class_is_refused(splits: list[str | None], complaint: str) -> None:
    with pytest.raises(UfdError, match=complaint):
        require_both_classes(sum_up([surveyed(splits, [0, 1, 0, 1], [None] * 4)]))
