from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tests.unit.report.test_run_page import HOSTILE, Page
from ufd_ray.report.sources import MOST_SHOWN, SourceCounts, tell_sources, wilson


@pytest.mark.parametrize(("num", "of"), [(0, 1), (1, 1), (0, 50), (3, 7), (50, 50), (123, 456_789)])
def test_intervals_are_wilsons(num: int, of: int) -> None:
    theirs = binomtest(num, of).proportion_ci(0.95, method="wilson")
    assert wilson(num, of) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_of_no_images_nothing_is_known() -> None:
    assert wilson(0, 0) == (0, 1)


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=12))
def test_counts_are_exact_up_to_what_is_said(batches: list[list[int]]) -> None:
    counts, truth = SourceCounts(most_kept=2), Counter[str]()
    for batch in batches:
        counts.add([(str(name), 1, 1, name % 2) for name in batch])
        truth.update(map(str, batch))
        assert len(counts.by_name) <= 4
    told = counts.rest.images + sum(found.images for found in counts.by_name.values())
    assert told == truth.total()
    for name, num in truth.items():
        own = counts.by_name[name].images if name in counts.by_name else 0
        assert own <= num <= own + counts.most_missed


def test_the_largest_are_told_and_the_rest_together() -> None:
    counts = SourceCounts()
    counts.add([(f"host{n:02}", 100 - n, 90 - n, 9) for n in range(MOST_SHOWN + 5)])
    page = Page("".join(tell_sources(counts)))
    assert page.tags.count("tr") == 1 + MOST_SHOWN + 1
    assert "host00 100 90 9 10.0 % 5.4–17.9 %" in page.text
    assert "host20" not in page.text
    assert f"5 others {sum(100 - n for n in range(20, 25))}" in page.text
    assert "may be too small" not in page.text


def test_that_small_sources_were_put_together_is_said() -> None:
    counts = SourceCounts(most_kept=1)
    counts.add([("a", 9, 9, 9), ("b", 5, 0, 0), ("c", 7, 7, 0)])
    text = Page("".join(tell_sources(counts))).text
    assert "all others 12 7 0 0.0 %" in text
    assert "may be too small by up to 7." in text


def test_names_stay_text_and_short() -> None:
    counts = SourceCounts()
    counts.add([(HOSTILE * 50, 1, 0, 0)])
    made = "".join(tell_sources(counts))
    page = Page(made)
    assert ("img" in page.tags, page.open) == (False, [])
    assert len(made) < 3000
    assert "1 0 0 – –" in page.text


def test_without_images_there_is_no_section() -> None:
    assert tell_sources(SourceCounts()) == []
