from __future__ import annotations

import base64
import copy
import re
from typing import Any

import pytest

from tests.unit.report.test_run_page import HOSTILE, Page
from ufd_ray.report import Card, Drawn, Gallery, Picture, render_evaluation
from ufd_ray.report.evaluation_tables import MOST_SETS

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


def figure(name: str, metric: str, value: float, ends: Any = (None, None)) -> dict[str, Any]:
    found = dict(zip(("low", "high"), ends, strict=True))
    return {"set": name, "detector": "probe_score", "metric": metric, "value": value, **found}


METRICS = [
    figure("crawl", "average_precision", 0.9234, (0.8, 0.97)),
    figure("crawl", "accuracy", 0.8, (0.6, 0.9)),
    figure("crawl", "accuracy_real", 0.75),
    figure("crawl", "accuracy_fake", 11 / 12),
    figure("mean/all", "average_precision", 0.9234),
]
TOLD = ["20 of 30 images used", "warning: set crawl as it came: files differ"]


def changed(place: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document[place] = value
    return document


def test_a_page_has_every_figure() -> None:
    made = render_evaluation(DOCUMENT, METRICS, TOLD)
    page = Page(made)
    assert page.open == []
    for words in (
        "published with errors · 2024-01-01T00:00:00+00:00 · 1 test sets · 20 images",
        "crawl 92.34 [80.0–97.0]",
        "mean/all 92.34",
        "crawl 80.00 [60.0–90.0]",
        "crawl 8 / 12 2 / 1",
        "crawl , as they came 50.00 100.00 [85.0–100.0] – yes",
        "half : 9 fake images and no real one",
        "thresholds of probe_score default 0.5, tuned –",
        "by_error_code empty 1",
    ):
        assert words in page.text, words
    assert '<p class="warning"><bdi>set crawl as it came: files differ' in made
    headings = [tag for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert (headings[0], set(headings[1:])) == ("h1", {"h2"})


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
    page = Page(render_evaluation(changed(place, value), metrics, [HOSTILE], (), galleries))
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


def test_without_bias_check_figures_or_sets_that_were_left_out() -> None:
    document = changed("format_bias", None) | {"left_out": {}}
    text = Page(render_evaluation(document, METRICS, [])).text
    for words in ("Do the files tell", "Figures", "left out Sets"):
        assert words not in text
