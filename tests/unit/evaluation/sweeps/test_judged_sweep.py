"""Settings judged on the same images, and what tables and figures say of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from ufd_ray.evaluation import ScoreColumn, SetPlan, judge_sets
from ufd_ray.evaluation.sweeps import (
    KINDS,
    Setting,
    Sweep,
    judge_sweep,
    mean_figures,
    mean_intervals,
    sweep_lines,
)

PLAN = SetPlan({"a": "a", "b|c": "b|c"}, {})
NAMES = np.array(["a"] * 4 + ["b|c"] * 4, object)
LABELS = np.array([0, 0, 1, 1] * 2, np.int8)
GOOD = np.array([0.1, 0.2, 0.8, 0.9] * 2, np.float32)
COLUMNS = [ScoreColumn("probe_score", 0.5)]
VOTES = [ScoreColumn("nn_vote_k3", 0.5)]


def setting(
    name: str, scores: NDArray[np.float32], columns: list[ScoreColumn] = COLUMNS, note: str = ""
) -> Setting:
    return Setting(name, columns, {columns[0].name: scores}, note=note)


def judged(*settings: Setting, name: str = "jpeg") -> Sweep:
    return judge_sweep(name, settings, PLAN, NAMES, LABELS, seed=0)


def means(sweep: Sweep, metric: str = "accuracy") -> Mapping[str, list[float]]:
    return mean_figures(sweep, metric)


def test_rows_are_those_of_an_evaluation_at_each_setting() -> None:
    sweep = judged(setting("90", GOOD), setting("30", 1 - GOOD))
    rows = judge_sets(PLAN, NAMES, LABELS, {"probe_score": GOOD}, COLUMNS, seed=0)
    first = [row for row in sweep.rows if row.setting == "90"]
    assert [(row.set, row.metric, row.value, row.low, row.n_real) for row in first] == [
        (row.set, row.metric, row.value, row.low, row.n_real) for row in rows
    ]
    assert (sweep.settings, sweep.num_images, sweep.left_out) == (("90", "30"), 8, ())
    assert means(sweep) == {"probe": [100.0, 0.0]}


def test_figures_that_are_known_are_not_made_again() -> None:
    rows = judge_sets(PLAN, NAMES, LABELS, {"probe_score": GOOD}, COLUMNS, seed=0)
    known = Setting("none", COLUMNS, {"probe_score": 1 - GOOD}, rows)
    assert means(judged(known, setting("90", GOOD))) == {"probe": [100.0, 100.0]}


def test_all_settings_are_judged_by_the_images_that_all_have() -> None:
    rows = judge_sets(PLAN, NAMES, LABELS, {"probe_score": GOOD}, COLUMNS, seed=0)
    lacking = GOOD.copy()
    lacking[[0, 6, 7]] = np.nan  # the second set has no fakes any more
    sweep = judged(
        Setting("own", COLUMNS, {"probe_score": GOOD}, rows), setting("other", lacking), name="bank"
    )
    assert (sweep.num_images, sweep.left_out) == (5, ("b|c",))
    assert {row.set for row in sweep.rows} == {"a", "mean/gan", "mean/all"} - {"mean/gan"}
    assert {(row.n_real, row.n_fake) for row in sweep.rows} == {(1, 2)}
    assert "Not judged here, for lack of images that all settings scored: b\\|c." in sweep_lines(
        sweep
    )


def test_a_set_is_not_judged_by_anothers_real_images() -> None:
    plan = SetPlan({"dalle": "dalle", "laion": "laion"}, {})
    names = np.array(["dalle"] * 4 + ["laion"] * 4, object)
    lacking = GOOD.copy()
    lacking[:2] = np.nan
    sweep = judge_sweep("bank", [setting("x", lacking)], plan, names, LABELS, seed=0)
    assert (sweep.left_out, {row.set for row in sweep.rows}) == (("dalle",), {"laion", "mean/all"})


def test_where_no_set_is_left_there_are_no_figures() -> None:
    sweep = judged(setting("x", np.full(8, np.nan, np.float32)))
    assert (sweep.rows, sweep.num_images, means(sweep)) == ((), 0, {})


def test_the_section_has_a_row_a_detector_and_setting() -> None:
    sweep = judged(setting("own", GOOD, note="encoder e"), setting("x", GOOD, VOTES), name="bank")
    lines = sweep_lines(sweep)
    assert lines[0] == f"## {KINDS['bank'].title}"
    assert "- `own`: encoder e" in lines
    assert "| detector | bank | a | b\\|c | mean |" in lines
    assert lines.count("| probe | own | 100.00 | 100.00 | 100.00 |") == 2
    assert lines.count("| neighbours, vote of 3 | x | 100.00 | 100.00 | 100.00 |") == 2
    assert not any(line.startswith("| probe | x") for line in lines)
    drawn = means(sweep)
    assert list(drawn) == ["probe", "neighbours, vote of 3"]
    assert drawn["probe"][0] == pytest.approx(100)
    assert math.isnan(drawn["probe"][1])


def test_what_mixes_preprocessings_says_so() -> None:
    text = "\n".join(sweep_lines(judged(setting("crop", GOOD), name="preprocess")))
    assert "Features of two preprocessings are compared here, which nothing else does" in text


def test_a_mean_has_an_interval_where_it_is_of_one_set() -> None:
    own, other = setting("own", GOOD[:4]), setting("b", GOOD[:4], VOTES)
    alone = judge_sweep(
        "bank", [own, other], SetPlan({"a": "a"}, {}), NAMES[:4], LABELS[:4], seed=0
    )
    found = mean_intervals(alone, "accuracy")
    assert list(found) == list(means(alone))
    (row,) = [row for row in alone.rows if (row.set, row.metric) == ("a", "accuracy")][:1]
    assert row.low is not None
    assert found["probe"][0] == (100 * row.low, pytest.approx(100 * (row.high or 0)))
    assert np.isnan(found["probe"][1]).all()
    several = mean_intervals(judged(setting("own", GOOD), name="bank"), "accuracy")
    assert np.isnan(several["probe"]).all()
