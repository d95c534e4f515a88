"""A plan beside its run."""

from __future__ import annotations

from typing import Any

import pytest

from ufd_ray.sizing import compare

PLAN: dict[str, Any] = {
    "machines": {"number": 2, "cpus": 4, "gpus": 1},
    "estimate": {"once_s": 10, "each_s": 0.5, "num_images": 100, "bottleneck": "gpu"},
}


def test_prediction_is_for_the_images_that_there_were() -> None:
    found = compare(PLAN, "plan.json", 200, 121.0, 8, 2)
    assert (found["predicted_s"], found["actual_s"]) == (110, 121)
    assert found["ratio"] == pytest.approx(1.1)
    assert (found["images"], found["images_planned"]) == (200, 100)
    assert found["same_machines"] is True


@pytest.mark.parametrize(("cpus", "gpus"), [(4, 2), (8, 0)])
def test_other_machines_are_said(cpus: int, gpus: int) -> None:
    assert compare(PLAN, "plan.json", 1, 1.0, cpus, gpus)["same_machines"] is False


def test_a_prediction_of_nothing_has_no_ratio() -> None:
    nothing = PLAN | {"estimate": PLAN["estimate"] | {"once_s": 0}}
    assert compare(nothing, "plan.json", 0, 1.0, 8, 2)["ratio"] is None
