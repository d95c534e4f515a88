from __future__ import annotations

import base64
import copy
import re
from typing import Any

import pytest

from tests.unit.report.test_run_page import HOSTILE, Page
from ufd_ray.report import (
    Card,
    Drawn,
    Folded,
    Gallery,
    Picture,
    Table,
    render_evaluation,
)
from ufd_ray.report.evaluation_matrix import MOST_SETS
from ufd_ray.report.evaluation_tables import MOST_FOLDED

BIAS = {
    "chance": 0.5,
    "average_precision": {"estimate": 1.0, "low": 0.85, "high": 1.0},
    "accuracy": None,
    "found": True,
}
DOCUMENT: dict[str, Any] = {
    "outcome": "published_with_errors",
    "evaluated_at": "2024-01-01T00:00:00+00:00",
    "encoder": {"arch": "lite0", "weights": "imagenet", "encoder_id": "abcd"},
    "encoder_id": "abcd",
    **dict.fromkeys(("bank_content", "probe_content", "alignment", "bank")),
    **{"weights_are_random": False, "precision": "fp32", "device": "cpu", "dtype": "float32"},
    "probe": "/probe",
    "versions": {"ufd-ray": "0.1"},
    "detectors": {"probe_score": {"default": 0.5, "tuned": None}},
    "counts": {"images": 30, "used": 20, "left_out": 9, "failed": 1, "by_error_code": {"empty": 1}},
    "sets": {"crawl": {"n_real": 8, "n_fake": 12}},
    "left_out": {"half": "9 fake images and no real one"},
    "format_bias": {"sets": {"crawl": {"as_they_came": BIAS}}},
    "settings": {"input": ["/tests"], "seed": 0},
    "files": [],
}


def figure(
    name: str,
    metric: str,
    value: float,
    ends: Any = (None, None),
    detector: str = "probe_score",
) -> dict[str, Any]:
    found = dict(zip(("low", "high"), ends, strict=True))
    return {"set": name, "detector": detector, "metric": metric, "value": value, **found}


METRICS = [
    figure("crawl", "average_precision", 0.9234, (0.8, 0.97)),
    figure("crawl", "accuracy", 0.8, (0.6, 0.9)),
    figure("crawl", "accuracy_real", 0.75),
    figure("crawl", "accuracy_fake", 11 / 12),
    figure("crawl", "roc_auc", 0.91, (0.7, 0.99)),
    figure("crawl", "ece", 0.1),
    figure("mean/all", "average_precision", 0.4321),
]
TOLD = ["little is told of files", "warning: set crawl as it came: files differ"]
NAMES = ("probe_score", *(f"nn_vote_k{k}" for k in range(1, 10)))


def of_sets(num: int, detectors: tuple[str, ...]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Document and metrics of so many sets: figures tell set and detector."""
    sets = {f"set {number}": {"n_real": 100 + number, "n_fake": 9} for number in range(num)}
    document = changed("sets", sets)
    document["detectors"] = {name: {"default": 0.5, "tuned": None} for name in detectors}
    metrics = [
        figure(name, metric, (10 * place + number) / 1000 + more, ends, detector)
        for place, name in enumerate([*sets, "mean/gan", "mean/all"])
        for number, detector in enumerate(detectors)
        for metric, more in (("average_precision", 0), ("accuracy", 0.5))
        for ends in [(0.001, 0.999) if name in sets else (None, None)]
    ]
    return document, metrics


def heads(made: str, caption: str) -> list[str]:
    """The column heads of the table with this caption."""
    table = made.partition(f"<span>{caption}")[2].partition("</thead>")[0]
    return [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<th [^>]*>(.*?)</th>", table)]


def changed(place: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document[place] = value
    return document


def test_a_page_has_every_figure() -> None:
    made = render_evaluation(DOCUMENT, METRICS, TOLD)
    page = Page(made)
    assert page.open == []
    for words in (
        "published with errors · 2024-01-01T00:00:00+00:00 · 1 test set · 20 of 30 images used",
        "Test set crawl : 8 real images, 12 fakes",
        "probe_score 92.34 [80.0–97.0] 91.00 [70.0–99.0] 10.00",
        "probe_score 80.00 [60.0–90.0] 75.00 91.67 2 / 1",
        "crawl , as they came 50.00 100.00 [85.0–100.0] – yes",
        "half : 9 fake images and no real one",
        "thresholds of probe_score default 0.5, tuned –",
        "by_error_code empty 1",
    ):
        assert words in page.text, words
    assert '<p class="warning"><bdi>set crawl as it came: files differ' in made
    assert page.text.index("92.34") > page.text.index("files differ")
    assert page.text.index("beyond chance") < page.text.index("little is told of files")
    assert "43.21" not in made  # the mean over a single set
    assert "<details>" not in made
    headings = [tag for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert (headings[0], set(headings[1:])) == ("h1", {"h2"})


@pytest.mark.parametrize(("num_sets", "detectors"), [(2, NAMES), (12, NAMES), (3, NAMES[:2])])
def test_what_is_more_of_detectors_and_sets_stands_in_rows(
    num_sets: int, detectors: tuple[str, ...]
) -> None:
    document, metrics = of_sets(num_sets, detectors)
    titles = {name: name.replace("nn_vote_k", "vote of ") for name in detectors}
    made = render_evaluation(document, metrics, [], titles=titles)
    page, sets = Page(made), [f"set {number}" for number in range(num_sets)]
    assert page.open == []
    groups = [*sets, "mean of GANs", "mean of all"]
    found = heads(made, "Accuracy at each")
    if len(detectors) > len(groups):
        assert found == ["detector", *groups]
        assert "images, real / fake 100 / 9 101 / 9" in page.text
        row = "vote of 9 50.90 [0.1–99.9] 51.90 [0.1–99.9] 52.90 53.90"
    else:
        assert found == ["set", "images, real / fake", *titles.values()]
        means = (0.5 + 0.01 * num_sets + 0.001 * number for number in range(len(detectors)))
        row = " ".join(["mean of GANs", *(f"{100 * mean:.2f}" for mean in means)])
    assert row in page.text
    # What all sets come to stands first; below, each set with its intervals for whoever opens it.
    first = page.text.index(f"All {num_sets} test sets")
    assert first < page.text.index("How well") < page.text.index("By test set")
    opened = re.findall("<summary>(.*?)</summary>", made)
    assert [re.sub("<[^>]*>", "", title) for title in opened] == [
        *(f"{name}: {100 + number} real images, 9 fakes" for number, name in enumerate(sets)),
        "mean of GANs",
    ]
    captions = re.findall('aria-label="([^"]+)"', made)
    assert len(set(captions)) == len(captions)


@pytest.mark.parametrize("other", ["nn_margin", "baseline_b"])
def test_neighbours_are_told_of_where_there_are_some(other: str) -> None:
    document, metrics = of_sets(3, ("probe_score", other))
    made = render_evaluation(document, metrics, [])
    assert ("nearest neighbours" in made) == (other == "nn_margin")


def test_many_warnings_leave_room_for_figures() -> None:
    told = [f"warning: number {number}" for number in range(5)]
    made = render_evaluation(DOCUMENT, METRICS, told)
    assert made.index("number 2") < made.index("<summary>2 further warnings</summary>")
    assert made.index("number 4") < made.index("<h2>")
    assert "further" not in render_evaluation(DOCUMENT, METRICS, told[:3])


def test_what_was_varied_stands_folded_with_its_figures() -> None:
    table = Table("by quality, per cent", ["detector", "90", "30"], [["probe", "91.00", "55.50"]])
    swept = Folded("Robustness", ("how it was done",), [table], ("figures/sweep-jpeg",))
    paper = Folded("Tables 2 and 3", (), [Table("Table 2", ["set", "LC"], [["DALL-E", "97.15"]])])
    drawn = [Drawn("figures/roc.svg", b"roc"), Drawn("figures/sweep-jpeg.svg", b"swept")]
    made = render_evaluation(DOCUMENT, METRICS, [], drawn, beside=[paper], varied=[swept])
    page = Page(made)
    assert page.open == []
    for words in ("Robustness how it was done", "probe 91.00 55.50", "DALL-E 97.15"):
        assert words in page.text
    folded = made.partition("<summary>Robustness")[2].partition("</details>")[0]
    assert [base64.b64encode(data).decode() in folded for data in (b"roc", b"swept")] == [0, 1]
    assert page.tags.count("img") == 2


def test_figures_are_part_of_the_file() -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    png = b"\x89PNG"
    drawn = [Drawn("figures/roc.svg", svg), Drawn(f"figures/{HOSTILE}", None)]
    drawn.append(Drawn("figures/spectra-of-mean.png", png))
    made = render_evaluation(DOCUMENT, METRICS, TOLD, drawn)
    found = re.findall(r'src="data:image/([^;]+);base64,([^"]+)"', made)
    assert [(kind, base64.b64decode(data)) for kind, data in found] == [
        ("svg+xml", svg),
        ("png", png),
    ]
    page = Page(made)
    assert page.tags.count("img") == 2
    assert ("alt", "Figure figures/roc.svg") in page.attributes
    assert "is too large for this page" in page.text
    assert "svg" not in page.tags


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("outcome", HOSTILE),
        ("sets", {HOSTILE: {"n_real": 1, "n_fake": 1}}),
        ("left_out", {HOSTILE: HOSTILE}),
        ("format_bias", {"sets": {HOSTILE: {"as_they_came": BIAS}}}),
        ("settings", {"input": [HOSTILE]}),
        ("detectors", {HOSTILE: HOSTILE}),
        ("bank", HOSTILE),
    ],
)
def test_a_hostile_name_stays_text(place: str, value: Any) -> None:
    cards = (Card(HOSTILE, (HOSTILE,), Picture(why_not=HOSTILE)),)
    metrics = [figure(HOSTILE, "accuracy", 1.0)]
    galleries = [Gallery(HOSTILE, HOSTILE, cards)]
    table = Table(HOSTILE, [HOSTILE], [[HOSTILE]])
    folded = [Folded(HOSTILE, [HOSTILE], [table])]
    more = {"beside": folded, "varied": folded, "titles": {HOSTILE: HOSTILE}}
    document = changed(place, value)
    page = Page(render_evaluation(document, metrics, [HOSTILE], (), galleries, **more))
    assert page.open == []
    assert {"img", "a", "script"}.isdisjoint(page.tags)
    assert not any(name.startswith(("on", "href", "src")) for name, _ in page.attributes)
    assert page.text.count("<img src=x onerror=alert(1)>") > 6


def test_a_page_of_very_many_sets_is_small() -> None:
    names = [f"set {n} " + "x" * 200 for n in range(5000)]
    document = changed("sets", {name: {"n_real": 1, "n_fake": 1} for name in names})
    document["left_out"] = dict.fromkeys(names, "no real one")
    metrics = [figure(name, "accuracy", 1.0) for name in names]
    made = render_evaluation(document, metrics, TOLD)
    assert len(made) < 100_000
    assert f"The first {MOST_SETS} of 5,000 sets; metrics.csv has all." in made
    assert "and 4,940 more" in made
    assert made.count("<details>") == MOST_FOLDED


def test_without_bias_check_figures_or_sets_that_were_left_out() -> None:
    document = changed("format_bias", None) | {"left_out": {}}
    text = Page(render_evaluation(document, METRICS, [])).text
    for words in ("Do the files tell", "Figures", "left out Sets"):
        assert words not in text
