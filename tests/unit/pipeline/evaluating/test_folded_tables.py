"""The paper's figures, and what was varied, as the page has them."""

from __future__ import annotations

import math

import pytest

from ufd_ray.evaluation import Row
from ufd_ray.evaluation.sweeps import Sweep, SweepRow
from ufd_ray.pipeline.evaluating.folded_tables import paper_tables, short_title, sweep_tables

K_9 = "NN, k = 9".replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
DETECTORS = ["probe_score", "nn_margin", "nn_vote_k9", "nn_mean_margin_k9"]


def rows(name: str) -> list[Row]:
    metrics = ("average_precision", "accuracy")
    return [Row(name, d, m, 0.9, 0.8, 0.95, 10, 10) for d in DETECTORS for m in metrics]


def test_the_papers_figures_stand_beside_how_far_ours_lie_from_them() -> None:
    (folded,) = paper_tables([*rows("dalle"), *rows("progan"), *rows("mine")], DETECTORS)
    precision, accuracy = folded.tables
    assert precision.caption == "Average precision (Table 2), per cent"
    assert list(precision.head) == ["set", "probe (LC)", f"margin ({K_9})"]
    found = {name: cells for name, *cells in precision.rows}
    assert list(found) == ["ProGAN", "DALL-E", "mean of GANs", "mean of unseen", "mean"]
    assert found["DALL-E"] == ["97.15 (-7.15)", "88.45 (+1.55)"]
    assert found["mean"][0] == f"{(100 + 97.15) / 2:.2f} ({90 - (100 + 97.15) / 2:+.2f})"
    assert list(accuracy.head) == ["set", "probe (LC)", f"vote of 9 ({K_9})"]
    assert ["DALL-E", "86.78 (+3.22)", "81.47 (+8.53)"] in [list(row) for row in accuracy.rows]


def test_a_cell_that_the_paper_does_not_give_is_left_empty() -> None:
    (folded,) = paper_tables([*rows("cyclegan"), *rows("dalle")], DETECTORS)
    found = {name: cells for name, *cells in folded.tables[0].rows}
    assert "CycleGAN" not in found  # of nobody's average precision there
    assert "mean" not in found
    assert found["DALL-E"][0] == "97.15 (-7.15)"


def test_a_table_without_a_figure_of_the_paper_is_left_out() -> None:
    (folded,) = paper_tables(rows("cyclegan"), DETECTORS)
    (accuracy,) = folded.tables  # its average precisions are not known
    assert accuracy.caption == "Accuracy (Table 3), per cent"
    assert accuracy.rows


def test_of_other_sets_the_paper_says_nothing() -> None:
    assert paper_tables(rows("mine"), DETECTORS) == []


@pytest.mark.parametrize("figure", [0.5, math.nan])
def test_what_was_varied_stands_by_setting(figure: float) -> None:
    found = [
        SweepRow(name, "nn_vote_k3", metric, value, None, None, 4, 4, "preprocess", setting)
        for name in ("a", "mean/all")
        for metric in ("average_precision", "accuracy")
        for setting, value in (("crop", 0.75), ("resize", figure))
    ]
    sweep = Sweep("preprocess", ("crop", "resize"), tuple(found), 8, ("b",), {"crop": "the bank's"})
    (folded,) = sweep_tables([sweep])
    assert folded.title == "Crop against resize"
    assert "*" not in "".join(folded.words)
    assert "`" not in "".join(folded.words)
    assert folded.words[1:] == [
        "crop: the bank's",
        "Not judged here, for lack of images that all settings scored: b.",
    ]
    precision, accuracy = folded.tables
    assert list(precision.head) == ["detector", "crop", "resize"]
    shown = "–" if math.isnan(figure) else "50.00"
    assert precision.rows == accuracy.rows == [["vote of 3", "75.00", shown]]
    assert list(folded.figures) == ["figures/sweep-preprocess", "figures/sweep-preprocess-accuracy"]


def test_detectors_have_short_names() -> None:
    names = [short_title(name) for name in DETECTORS]
    assert names == ["probe", "margin", "vote of 9", "mean margin of 9"]
