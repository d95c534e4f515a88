from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from ufd_ray.report import NUM_BARS, Histogram, render_run

HOSTILE = "<img src=x onerror=alert(1)>\"'&{title}{0}%s\udcff"

RUN: dict[str, Any] = {
    "run_id": "nightly",
    "outcome": "published_with_errors",
    "started_at": "2024-01-01T00:00:00+00:00",
    "finished_at": "2024-01-01T00:10:00+00:00",
    "settings": {"input": ["/photos"], "k": 9, "limit": None, "dry_run": False},
    "counts": {
        "images": 12345,
        "by_status": {"scored": 12000, "error": 345},
        "by_error_code": {"corrupt": 345},
        "by_verdict": {"real": 9000, "fake": 3000},
        "duplicates": 17,
    },
    "timings": {"whole_run_s": 600.0, "worker_seconds_by_stage": {"fetch": 12.5}},
    "detectors": {
        "encoder": {"arch": "lite0", "weights": "imagenet", "encoder_id": "abcd"},
        "encoder_id": "abcd",
        "weights_are_random": False,
        "bank": None,
        "probe": "/probe",
        "decided_by": "probe",
        "threshold": 0.625,
        "k": 9,
    },
    "versions": {"ufd-ray": "0.1"},
}
COUNTS = Histogram(counts=np.arange(20, dtype=np.int64))


def changed(**places: Any) -> dict[str, Any]:
    """`RUN` with other values; `a__b` is the key `b` under `a`."""
    run = copy.deepcopy(RUN)
    for place, value in places.items():
        *path, last = place.split("__")
        at = run
        for key in path:
            at = at[key]
        at[last] = value
    return run


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "img"):  # which have no end
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_page_says_what_the_run_did() -> None:
    page = Page(render_run(RUN, COUNTS))
    assert page.open == []  # every element is closed
    for words in (
        "Run nightly",
        "published with errors",
        "20.6 images a second",
        "12,000 of 12,345 images were scored",
        "3,000 of them (25.0 %) were called fake by the probe",
        "error corrupt 345",
        "same bytes as an earlier image 17",
        "the threshold 0.625",
        "lite0",
    ):
        assert words in page.text


@pytest.mark.parametrize(
    "place",
    [
        "run_id",
        "outcome",
        "started_at",
        "finished_at",
        "settings__input",
        "settings__output",
        "detectors__bank",
        "detectors__probe",
        "detectors__encoder__weights",
        "versions__ray",
        "counts__by_verdict",
        "counts__by_error_code",
        "timings__worker_seconds_by_stage",
    ],
)
def test_a_hostile_name_stays_text(place: str) -> None:
    value: Any = HOSTILE
    if place == "settings__input":
        value = [HOSTILE, HOSTILE]
    elif place.startswith(("counts", "timings")):
        value = {HOSTILE: 1}
    made = render_run(changed(**{place: value}), COUNTS)
    page = Page(made)
    assert page.open == []
    assert "img" not in page.tags
    assert "onerror" not in dict(page.attributes)
    assert "<img src=x onerror=alert(1)>" in page.text


def test_a_page_loads_and_runs_nothing() -> None:
    made = render_run(RUN, COUNTS)
    page = Page(made)
    assert {"script", "link", "img", "iframe", "object", "form", "a"}.isdisjoint(page.tags)
    assert {name for name, _ in page.attributes}.isdisjoint({"src", "href", "style", "action"})
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert not re.search(r"https?://|@import|url\(|javascript:", made)
    assert "default-src 'none'" in made


def test_how_near_it_came_to_its_encoders_is_said_where_it_is_known() -> None:
    heading = "How near it came to its encoders alone"
    assert heading not in Page(render_run(changed(efficiency=None), COUNTS)).text
    found = {"steady": 0.97, "whole_run": 0.625, "seconds": {"start_up": 9.5, "search": 3.25}}
    text = Page(render_run(changed(efficiency=found), COUNTS)).text
    for words in (heading, "0.97", "0.625", "to the first batch, seconds", "waited for the search"):
        assert words in text


def test_random_weights_are_said() -> None:
    warning = "weights are random: the scores mean nothing"
    assert warning not in render_run(RUN, COUNTS)
    assert warning in render_run(changed(detectors__weights_are_random=True), COUNTS)


def test_neighbours_decide_at_the_threshold_of_the_run() -> None:
    made = render_run(changed(detectors__decided_by="neighbors", detectors__threshold=0.25), COUNTS)
    assert "the threshold 0.25" in Page(made).text
    assert "neighbours’ vote" in made


def test_a_run_in_which_nothing_was_scored() -> None:
    run = changed(counts__by_status={"error": 3}, counts__by_verdict={}, counts__images=3)
    page = Page(render_run(run, Histogram()))
    assert "0 of 3 images were scored. 0 of them (–)" in page.text
    assert "NaN" not in page.text


def test_a_run_without_images_or_time() -> None:
    run = changed(counts__images=0, counts__by_status={}, counts__by_verdict={})
    run["timings"] = {"whole_run_s": 0, "worker_seconds_by_stage": {}}
    assert "0 of 0 images were scored" in Page(render_run(run, Histogram())).text


def test_the_histogram_has_a_bar_a_bin() -> None:
    made = render_run(RUN, COUNTS)
    heights = [float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"', made)]
    assert len(heights) == NUM_BARS == 20
    assert heights == pytest.approx([180 * n / 19 for n in range(20)], abs=0.06)
    assert "the fullest bin holds 19" in made
    assert (COUNTS.low, COUNTS.high) == (0, 1)


def test_the_size_of_a_page_does_not_grow_with_the_run() -> None:
    large = render_run(changed(counts__images=10**9), Histogram(counts=COUNTS.counts * 10**7))
    assert len(large) < len(render_run(RUN, COUNTS)) + 500


def test_two_lines_where_images_may_be_unsure() -> None:
    run = changed(counts__by_verdict={"real": 8000, "fake": 3000, "unsure": 1000})
    run["detectors"] |= {"threshold_name": "max-fpr", "unsure_above": 0.25}
    made = render_run(run, COUNTS)
    assert (
        "3,000 of them (25.0 %) were called fake by the probe, and 1,000 are left unsure." in made
    )
    assert "the threshold 0.625 (max-fpr), the dotted one 0.25" in Page(made).text
    places = dict(re.findall(r'<line class="(\w+)" x1="([\d.]+)"', made))
    assert places == {"threshold": "400.0", "unsure": "160.0"}
    assert "unsure" not in render_run(RUN, COUNTS).partition("</style>")[2]


def test_margins_are_drawn_around_zero() -> None:
    histogram = Histogram.of("margin")
    histogram.add(np.array([-0.031, 0.0, 0.0, 0.049], np.float32))
    run = changed(detectors__decided_by="margin", detectors__threshold=0.01)
    made = render_run(run, histogram)
    assert "called fake by the neighbours’ margin" in made
    assert re.findall(r'text-anchor="\w+">([^<]+)<', made) == [
        "-0.05",
        "-0.025",
        "0",
        "0.025",
        "0.05",
    ]
    places = dict(re.findall(r'<line class="(\w+)" x1="([\d.]+)"', made))
    assert places == {"threshold": "384.0"}
    counts = [int(n) for n in re.findall(r"<title>(\d+) images", made)]
    assert (counts[3], counts[10], counts[19], sum(counts)) == (1, 2, 1, 4)


def test_a_calibration_is_said_in_words() -> None:
    run = changed(detectors__probe_calibration={"method": "platt", "scale": 1.5, "shift": -0.25})
    assert "method platt, scale 1.5, shift -0.25" in Page(render_run(run, COUNTS)).text


def test_a_plan_stands_beside_what_the_run_took() -> None:
    planned = {"predicted_s": 500.0, "ratio": 1.2, "same_machines": True}
    page = render_run(changed(estimate=planned), COUNTS)
    took = page.partition("Where the time went")[2].partition("</table>")[0]
    assert "predicted by the plan, seconds</th><td class=number>500.0<" in took
    assert "of what was predicted</th><td class=number>1.2<" in took
    assert "other machines" not in page
    assert "predicted" not in render_run(RUN, COUNTS)


def test_a_plan_for_other_machines_is_said() -> None:
    counts = {"cpus": 4, "cpus_planned": 1536, "gpus": 0, "gpus_planned": 64}
    planned = {"predicted_s": 500.0, "ratio": 1.2, "same_machines": False, **counts}
    page = render_run(changed(estimate=planned), COUNTS)
    assert "1,536 CPUs and 64 GPUs; there were 4 CPUs and 0 GPUs" in page
