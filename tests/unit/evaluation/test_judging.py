"""All figures of detectors on test sets, and their means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from ufd_ray.evaluation import (
    Row,
    ScoreColumn,
    accuracy_at,
    average_precision,
    expected_calibration_error,
    group_members,
    judge,
    judge_sets,
    mean_rows,
    plan_sets,
)

PROBE = ScoreColumn("probe_score", 0.5, 0.3)
MARGIN = ScoreColumn("nn_margin", 0.0, is_share=False)
RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [40, 60]).astype(np.int8)
SCORES = np.clip(RNG.normal(0.3 + 0.3 * LABELS, 0.2), 0, 1).astype(np.float32)


def figures(column: ScoreColumn, seed: int = 0) -> dict[str, tuple[float, float | None]]:
    return {f.metric: (f.value, f.low) for f in judge(LABELS, SCORES, column, seed=seed)}


def test_each_figure_is_what_its_name_says() -> None:
    found = {name: value for name, (value, _) in figures(PROBE).items()}
    assert found["average_precision"] == average_precision(LABELS, SCORES)
    assert found["ece"] == expected_calibration_error(LABELS, SCORES, 15)
    for which, threshold in (("", 0.5), ("_tuned", 0.3), ("_oracle", found["threshold_oracle"])):
        at = accuracy_at(LABELS, SCORES, threshold)
        assert found[f"threshold{which}"] == threshold
        assert found[f"accuracy{which}"] == pytest.approx((at.real + at.fake) / 2)
        names = [f"accuracy_{kind}{which}" for kind in ("real", "fake", "overall")]
        assert [found[name] for name in names] == [at.real, at.fake, at.overall]
    assert found["accuracy_oracle"] >= max(found["accuracy"], found["accuracy_tuned"])


def test_what_cannot_be_said_is_left_out() -> None:
    probe, margin = figures(PROBE), figures(MARGIN)
    of_tuned = {f"accuracy{kind}_tuned" for kind in ("", "_real", "_fake", "_overall")}
    assert probe.keys() - margin.keys() == {"ece", "threshold_tuned", *of_tuned}


def test_all_have_intervals_but_what_was_chosen_by_these_images_and_the_ece() -> None:
    found = figures(PROBE)
    without = {name for name, (_, low) in found.items() if low is None}
    assert without == {
        "ece",
        *(f"threshold{which}" for which in ("", "_tuned", "_oracle")),
        *(f"accuracy{kind}_oracle" for kind in ("", "_real", "_fake", "_overall")),
    }
    for figure in judge(LABELS, SCORES, PROBE, seed=0):
        if figure.low is not None and figure.high is not None:
            assert 0 <= figure.low <= figure.value <= figure.high <= 1
            assert figure.low < figure.high


def test_accuracies_have_exact_intervals_of_their_own_images() -> None:
    found = {figure.metric: figure for figure in judge(LABELS, SCORES, PROBE, seed=0)}
    for kind, rows in (("real", LABELS == 0), ("fake", LABELS == 1), ("overall", LABELS >= 0)):
        figure = found[f"accuracy_{kind}_tuned"]
        num = int(rows.sum())
        exact = binomtest(round(figure.value * num), num).proportion_ci(0.95, method="exact")
        assert (figure.low, figure.high) == pytest.approx((exact.low, exact.high))


def test_draws_are_seeded() -> None:
    assert figures(PROBE) == figures(PROBE)
    noise = np.random.default_rng(1).normal(size=100)  # so that the draws say more than the count
    lows = [judge(1 - LABELS, noise, MARGIN, seed=seed)[0].low for seed in (0, 0, 1)]
    assert lows[0] == lows[1] != lows[2]


def test_sets_are_judged_by_their_own_images() -> None:
    names = np.array(["laion"] * 40 + ["dalle"] * 25 + ["ldm_100"] * 35, object)
    plan = plan_sets({("laion", 0): 40, ("dalle", 1): 25, ("ldm_100", 1): 35})
    scores = {"probe_score": SCORES, "nn_margin": -SCORES}
    rows = judge_sets(plan, names, LABELS, scores, [PROBE, MARGIN], seed=0)
    found = {(row.set, row.detector, row.metric): row for row in rows}
    assert len(found) == len(rows)
    row = found["dalle", "probe_score", "average_precision"]
    assert row.value == average_precision(LABELS[:65], SCORES[:65])
    assert (row.n_real, row.n_fake) == (40, 25)
    both = [found[name, "nn_margin", "accuracy"].value for name in ("dalle", "ldm_100")]
    for group in ("mean/unseen", "mean/all"):
        mean = found[group, "nn_margin", "accuracy"]
        assert mean.value == pytest.approx(sum(both) / 2)
        assert (mean.n_real, mean.n_fake, mean.low) == (80, 60, None)
    assert not any(row.set == "mean/gan" for row in rows)
    assert not any(row.metric.startswith("threshold") for row in rows if "mean" in row.set)


def test_groups_hold_the_sets_that_are_there() -> None:
    assert group_members(["progan", "crn", "dalle", "mine"]) == {
        "mean/gan": ("progan",),
        "mean/unseen": ("dalle",),
        "mean/all": ("progan", "crn", "dalle", "mine"),
    }


def test_every_set_counts_as_much_as_another() -> None:
    rows = [
        Row("a", "d", "accuracy", 1.0, 0.9, 1.0, 1000, 1),
        Row("b", "d", "accuracy", 0.5, *[None] * 2, 1, 1),
    ]
    (mean,) = mean_rows(rows, {"mean/all": ("a", "b")})
    assert mean == Row("mean/all", "d", "accuracy", 0.75, None, None, 1001, 2)
