from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from tests.unit.report.test_run_page import HOSTILE, Page
from ufd_ray.report.drift import Earlier, find_drift, tell_drift
from ufd_ray.report.histogram import NUM_BARS, Histogram


def of(*counts: int) -> Histogram:
    return Histogram(counts=np.array(counts + (0,) * (NUM_BARS - len(counts)), np.int64))


def drawn(num: int, high: float = 1.0, seed: int = 0) -> Histogram:
    histogram = Histogram.of("probe")
    histogram.add(np.random.default_rng(seed).uniform(0, high, num))
    return histogram


def told(now: Histogram, then: Histogram | str, *, run_id: str = "a") -> str:
    earlier = then if isinstance(then, str) else Earlier(run_id, "2024-01-01", then, 3)
    return Page("".join(tell_drift(now, 5, earlier))).text


def test_the_statistic_is_pearsons() -> None:
    now, then = of(50, 60, 70, 20), of(40, 90, 50, 30)
    found = find_drift(now, then)
    theirs = chi2_contingency([[50, 60, 70, 20], [40, 90, 50, 30]], correction=False)
    assert found is not None
    assert found.statistic == pytest.approx(theirs.statistic)
    assert (found.degrees, found.p_value) == (3, pytest.approx(theirs.pvalue))
    shares = np.array([50, 60, 70, 20]) / 200 - np.array([40, 90, 50, 30]) / 210
    assert found.moved == pytest.approx(abs(shares).sum() / 2)


@given(st.lists(st.integers(0, 40), min_size=NUM_BARS, max_size=NUM_BARS), st.integers(1, 1000))
def test_runs_that_lie_alike_have_not_moved(counts: list[int], times: int) -> None:
    now = Histogram(counts=np.array(counts, np.int64))
    found = find_drift(now, Histogram(counts=times * now.counts))
    if found is not None:
        assert found.moved == pytest.approx(0, abs=1e-12)
        assert found.p_value > 0.99


@given(
    st.lists(st.integers(0, 9), min_size=NUM_BARS, max_size=NUM_BARS),
    st.lists(st.integers(0, 99), min_size=NUM_BARS, max_size=NUM_BARS),
)
def test_in_every_bin_enough_are_expected(now: list[int], then: list[int]) -> None:
    totals = sum(now), sum(then)
    found = find_drift(of(*now), of(*then))
    if found is None:
        return
    assert 0 <= found.moved <= 1
    assert found.degrees + 1 <= min(totals) / 5


def test_chance_is_not_taken_for_drift() -> None:
    p_values = [
        find_drift(drawn(400, seed=n), drawn(900, seed=1000 + n)).p_value  # type: ignore[union-attr]
        for n in range(200)
    ]
    assert 2 <= sum(p < 0.05 for p in p_values) <= 20


def test_a_trifle_among_a_million_is_no_warning() -> None:
    text = told(drawn(1_000_000), drawn(1_000_000, 0.995, seed=1))
    assert "have hardly moved" in text
    assert "p < 0.001" in text


def test_what_has_moved_is_a_warning() -> None:
    now, then = drawn(2000), drawn(1500, 0.8, seed=1)
    made = "".join(tell_drift(now, 5, Earlier("a", "2024-01-01", then, 3)))
    assert 'class="warning">The scores have moved' in made
    assert "The run before called 0.2 % of its images fake, this one 0.2 %" in made


def test_where_nothing_can_be_compared_it_says_why() -> None:
    assert "no earlier run" in told(drawn(9), "There is no earlier run here.")
    assert "too few" in told(drawn(9), drawn(1000))
    assert "too few" in told(of(), of())
    assert "too few, or too much alike" in told(of(100), of(90))
    assert "lie as those of the run before" in told(drawn(500), drawn(700, seed=1))


def test_margins_are_compared_in_bins_as_fine_as_they_need() -> None:
    now, then = Histogram.of("margin"), Histogram.of("margin")
    random = np.random.default_rng(0)
    now.add(random.normal(0.004, 0.01, 2000))
    then.add(random.normal(0, 0.01, 2000))
    found = find_drift(now, then)
    assert found is not None
    assert 10 <= found.degrees < NUM_BARS
    assert found.moved == pytest.approx(0.16, abs=0.05)  # of two normals 0.4 deviations apart


def test_a_hostile_name_stays_text() -> None:
    assert "<img src=x" in told(drawn(500), drawn(500), run_id=HOSTILE)
    assert "<img src=x" in told(drawn(500), HOSTILE)
