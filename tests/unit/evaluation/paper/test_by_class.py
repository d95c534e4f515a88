"""Where mistakes fall: a table by class, the paper's beside ours, and the same in words."""

from __future__ import annotations

import pytest

from ufd_ray.evaluation import Row
from ufd_ray.evaluation.paper.by_class import class_lines
from ufd_ray.evaluation.paper.figures import PAPER_ACCURACY_BY_CLASS

# Of each detector, by set: accuracy on real images, and on fakes.
FOUND = {
    "baseline_wang": {"progan": (0.99, 0.97), "guided": (0.98, 0.08), "a|b": (1.0, 0.04)},
    "probe_score": {"progan": (1.0, 1.0), "guided": (0.9, 0.9), "a|b": (0.7, 0.9)},
}


def rows() -> list[Row]:
    found = []
    for detector, of_sets in FOUND.items():
        for name, (real, fake) in of_sets.items():
            metrics = {"real": real, "fake": fake, "overall": 0.5, "real_oracle": 1.0}
            values = {f"accuracy_{metric}": value for metric, value in metrics.items()}
            values |= {"accuracy": (real + fake) / 2, "average_precision": 0.75}
            found += [Row(name, detector, m, v, None, None, 9, 9) for m, v in values.items()]
        mean = {"accuracy": 0.1, "accuracy_real": 0.1, "accuracy_fake": 0.1}
        found += [Row("mean/all", detector, m, v, None, None, 9, 9) for m, v in mean.items()]
    return found


def test_each_class_has_a_row_and_mistakes_have_their_share() -> None:
    lines = class_lines(rows(), list(FOUND), {}, ["baseline_wang"])
    table = [line for line in lines if line.startswith("|")]
    paper = "the paper's trained network"
    assert table == [
        "| detector | class | ProGAN | Guided | a\\|b | mean |",
        "|---|---|---:|---:|---:|---:|",
        "| wang | real | 99.00 | 98.00 | 100.00 | 99.00 |",
        "| wang | fake | 97.00 | 8.00 | 4.00 | 36.33 |",
        "| wang | average | 98.00 | 53.00 | 52.00 | 67.67 |",
        "| wang | mistakes | 75.00 | 97.87 | 100.00 | 98.45 |",
        f"| {paper} | real | – | 99.14 | – | – |",
        f"| {paper} | fake | – | 4.67 | – | – |",
        f"| {paper} | average | – | 51.90 | – | – |",
        "| probe | real | 100.00 | 90.00 | 70.00 | 86.67 |",
        "| probe | fake | 100.00 | 90.00 | 90.00 | 93.33 |",
        "| probe | average | 100.00 | 90.00 | 80.00 | 90.00 |",
        "| probe | mistakes | – | 50.00 | 25.00 | 33.33 |",
    ]
    assert "paper" not in "".join(class_lines(rows(), list(FOUND), {})[5:])


def test_the_same_in_words() -> None:
    seen = {"baseline_wang": ["progan", "not judged"], "probe_score": ["progan", "guided", "a|b"]}
    made = "sets of what it was made from"
    assert class_lines(rows(), list(FOUND), seen)[-4:] == [
        "",
        "- wang, unseen sets: calls 94.00 % of fakes real and 1.00 % of real images fake;"
        " 98.9 % of mistakes are fakes",
        f"- wang, {made} (progan): calls 3.00 % of fakes real and 1.00 % of real images fake;"
        " 75.0 % of mistakes are fakes",
        f"- probe, {made} (progan, guided, a\\|b): calls 6.67 % of fakes real and 13.33 % of real"
        " images fake; 33.3 % of mistakes are fakes",
    ]
    told = class_lines([row for row in rows() if row.set == "progan"], list(FOUND), {})[-1]
    assert told == "- probe, all sets: calls 0.00 % of fakes real and 0.00 % of real images fake"


def test_the_papers_averages_are_those_of_its_classes() -> None:
    real, fake, average = PAPER_ACCURACY_BY_CLASS.values()
    assert real.keys() == fake.keys() == average.keys()
    for name, value in average.items():
        assert (real[name] + fake[name]) / 2 == pytest.approx(value, abs=0.011)
