"""The paper's figures, and tables in its layout."""

from __future__ import annotations

import pytest

from ufd_ray.evaluation import Row, tables_text
from ufd_ray.evaluation.paper.figures import MEAN, PAPER_ACCURACY, PAPER_AVERAGE_PRECISION
from ufd_ray.evaluation.paper.sets import GROUPS, PAPER_SETS

DETECTORS = ["probe_score", "nn_margin", "nn_vote_k1", "nn_vote_k9", "nn_mean_margin_k9"]
MEANS = {
    "LC": (81.38, 93.38),
    "NN, k = 1": (82.30, 90.32),
    "NN, k = 3": (83.28, 90.22),
    "NN, k = 5": (83.72, 90.22),
    "NN, k = 9": (84.25, 90.14),
}


def test_every_accuracy_of_the_paper_is_there_and_they_add_up() -> None:
    assert PAPER_ACCURACY.keys() == MEANS.keys()
    for name, cells in PAPER_ACCURACY.items():
        assert list(cells) == [*PAPER_SETS, MEAN]
        assert cells[MEAN] == MEANS[name][0]
        # The paper's cells are rounded, and its means cut or rounded.
        assert sum(cells[key] for key in PAPER_SETS) / 19 == pytest.approx(cells[MEAN], abs=0.011)


def test_precisions_of_the_paper() -> None:
    assert PAPER_AVERAGE_PRECISION.keys() == MEANS.keys()
    for name, cells in PAPER_AVERAGE_PRECISION.items():
        assert set(cells) <= {*PAPER_SETS, *GROUPS, MEAN}
        assert cells[MEAN] == MEANS[name][1]
        assert cells["progan"] == 100.0
        assert all(50 < cell <= 100 for cell in cells.values())
    assert PAPER_AVERAGE_PRECISION["LC"]["dalle"] == 97.15
    assert PAPER_AVERAGE_PRECISION["NN, k = 9"]["ldm_200_cfg"] == 79.77
    # What groups and known cells leave for the two that are in none of them can be.
    cells = PAPER_AVERAGE_PRECISION["LC"]
    known = 6 * cells["gan"] + 8 * cells["unseen"] + sum(cells[n] for n in ("san", "crn", "imle"))
    assert 50 < (19 * cells[MEAN] - known) / 2 < 100


def rows(names: list[str], *, value: float = 0.9, tuned: bool = False) -> list[Row]:
    metrics = ["average_precision", "accuracy", "accuracy_oracle", *(["accuracy_tuned"] * tuned)]
    return [
        Row(name, detector, metric, value, 0.85, 0.95, 10, 10)
        for name in names
        for detector in DETECTORS
        for metric in metrics
    ] + [Row("mean/all", d, m, 0.1, None, None, 10, 10) for d in DETECTORS for m in metrics]


def table(text: str, title: str) -> dict[str, list[str]]:
    """The first table below a heading: title of a row → its cells; of several the first."""
    lines = text.split(f"## {title}\n\n")[1].split("\n\n")[0].split("\n")
    found: dict[str, list[str]] = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        found.setdefault(cells[0].strip(), [cell.strip() for cell in cells[1:]])
    return found


def test_all_sets_of_the_paper_beside_its_own_figures() -> None:
    text = tables_text(rows(list(PAPER_SETS)), DETECTORS, {})
    precision = table(text, "Average precision (Table 2)")
    assert precision["detector"] == [
        *PAPER_SETS.values(),
        "mean of GANs",
        "mean of unseen",
        "mAP",
    ]
    assert precision["probe"] == ["90.00"] * 22
    assert precision["the paper's LC"][-4:] == ["97.15", "99.31", "95.00", "93.38"]
    assert precision["difference"][-4:] == ["-7.15", "-9.31", "-5.00", "-3.38"]
    # What the margin is compared with is no row of a vote, whose precision is another one.
    by_set = text.partition("(Table 2)")[2]
    titles = [line.split("|")[1].strip() for line in by_set.split("\n") if line.startswith("| ")]
    start = titles.index("neighbours, margin")
    assert titles[start + 1 : start + 6] == [
        *("the paper's NN, k = 1", "difference", "the paper's NN, k = 9", "difference"),
        "neighbours, vote of 1",
    ]
    accuracy = table(text, "Accuracy, mean of both classes (Table 3)")
    assert accuracy["the paper's NN, k = 9"][0] == "99.54"
    assert accuracy["the paper's NN, k = 9"][-1] == "84.25"
    gans = (99.54 + 93.49 + 88.63 + 80.75 + 97.11 + 98.97) / 6
    assert accuracy["the paper's NN, k = 9"][-3] == f"{gans:.2f}"
    assert "neighbours, margin, oracle *" in accuracy
    assert "neighbours, margin, tuned" not in accuracy
    place = titles.index("neighbours, mean margin of 9")
    assert titles[place + 1] == "detector"  # none of the paper's: the other table begins
    assert accuracy["neighbours, mean margin of 9, oracle *"][0] == "90.00"
    assert "other sets" not in text


def test_some_sets_are_compared_with_the_same_ones() -> None:
    text = tables_text(rows(["progan", "dalle"], tuned=True), DETECTORS, {})
    precision = table(text, "Average precision (Table 2)")
    assert precision["probe"] == ["90.00", *["–"] * 17, "90.00", *["90.00"] * 3]
    theirs = ["100.00", *["–"] * 17, "97.15", "100.00", "97.15", f"{(100 + 97.15) / 2:.2f}"]
    assert precision["the paper's LC"] == theirs
    accuracy = table(text, "Accuracy, mean of both classes (Table 3)")
    assert accuracy["probe, tuned"][0] == "90.00"


def test_what_all_sets_come_to_stands_first() -> None:
    found = rows(["progan", "mine"])
    found += [Row("mean/all", "probe_score", "tpr_at_1_percent_fpr", 0.25, None, None, 10, 10)]
    text = tables_text(found, DETECTORS, {})
    assert text.index("## All test sets") < text.index("## Images") < text.index("## Average")
    means = table(text, "All test sets")
    assert means["detector"] == [
        *("average precision", "fakes found at 1 % of reals flagged", "accuracy", "oracle *")
    ]
    assert means["probe"] == ["10.00", "25.00", "10.00", "10.00"]
    assert means["neighbours, vote of 9"] == ["10.00", "–", "10.00", "10.00"]
    assert table(text, "Images")["mine"] == ["10", "10"]


def test_other_sets_have_tables_and_intervals_of_their_own() -> None:
    text = tables_text(rows(["mine | yours"]), DETECTORS, {"half": "3 fake images and no real one"})
    assert "Table 2" not in text
    other = text.split("## Average precision, other sets\n\n")[1].split("\n")
    assert other[0] == "| detector | mine \\| yours | mAP |"
    assert other[2] == "| probe | 90.00 [85.0–95.0] | 90.00 |"
    assert text.endswith("## Left out\n\n- half: 3 fake images and no real one\n")


def test_names_of_strangers_are_text_and_nothing_else() -> None:
    odd = "<img src=x onerror=alert(1)> [a](javascript:b) `c`"
    text = tables_text(rows([odd]), DETECTORS, {odd: "no real image"})
    shown = r"\<img src=x onerror=alert(1)\> \[a\](javascript:b) \`c\`"
    assert text.count(shown) == 4  # two tables, images, and what is left out
    assert odd not in text


def test_both_kinds_do_not_mix_in_a_mean() -> None:
    found = rows(["progan"], value=0.8) + rows(["mine"], value=0.4)
    text = tables_text(found, DETECTORS, {})
    assert table(text, "Average precision (Table 2)")["probe"][-1] == "80.00"
    assert table(text, "Average precision, other sets")["probe"][-1] == "40.00"
