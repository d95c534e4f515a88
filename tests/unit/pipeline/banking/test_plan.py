from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from ufd_ray.images import Views, view_key
from ufd_ray.pipeline.banking.plan import BankPlan
from ufd_ray.settings import BuildBankSettings

HASHES = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(40)]


def rows(split: list[str | None] | None = None) -> Any:
    columns = {"content_hash": pa.array([*HASHES, None], pa.string())}
    if split is not None:
        columns["split"] = pa.array(split, pa.string())
    return pa.table(columns)


def settings(**given: Any) -> BuildBankSettings:
    return BuildBankSettings(**{"input": ["in"], "output": "out"} | given)


def test_every_image_with_bytes_gets_a_side() -> None:
    split = BankPlan(0.5, 0, 0).with_split(rows())["split"].to_pylist()
    assert set(split[:-1]) == {"train", "val"}
    assert split[-1] is None


def test_a_side_that_is_given_stays() -> None:
    given = ["train", "val", None] * 13 + ["val", None]
    split = BankPlan(0.0, 0, 0).with_split(rows(given))["split"].to_pylist()
    assert split[:-1] == [side or "train" for side in given[:-1]]


def test_what_trains_gets_all_views_and_what_validates_one() -> None:
    plan = BankPlan(0.5, 5, 3)
    sided = plan.with_split(rows())
    views = plan.views(sided)
    assert views is not None
    expected = [
        Views(1 if side == "val" else 5, side, view_key(content_hash, 3))
        for content_hash, side in zip(HASHES, sided["split"].to_pylist(), strict=False)
    ]
    assert views == [*expected, None]
    assert BankPlan(0.5, 0, 3).views(sided) is None


def test_a_file_that_was_never_read_has_no_views_though_its_side_is_given() -> None:
    plan = BankPlan(0.0, 2, 0)
    views = plan.views(plan.with_split(rows(["val"] * 41)))
    assert views is not None
    assert views[-1] is None


def test_the_plan_is_what_the_settings_say() -> None:
    assert BankPlan.of(settings()) == BankPlan(0.1, 0, 0)
    assert BankPlan.of(settings(val_share=0.3, views=4, seed=9)) == BankPlan(0.3, 4, 9)
    assert BankPlan.of(settings(val_input="val")) == BankPlan(0.0, 0, 0)
    assert BankPlan.of(settings(val_input="val", val_share=0)) == BankPlan(0.0, 0, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"val_input": "val", "val_share": 0.1}, "--val-input and --val-share exclude each other"),
        ({"val_input": "val", "limit": 10}, "--limit cannot be had with --val-input"),
        ({"views": 65}, "less than or equal to 64"),
        ({"seed": 2**63}, "less than"),
        ({"val_input": ""}, "empty; expected a path or URI"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**given)


@pytest.mark.parametrize("given", [{"views": 1}, {"seed": 1}, {"val_input": "val"}])
def test_another_view_is_another_bank(given: dict[str, Any]) -> None:
    assert settings(**given).fingerprint() != settings().fingerprint()
