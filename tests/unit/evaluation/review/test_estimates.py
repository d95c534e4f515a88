from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ufd_ray.evaluation.review import FIGURES, LabelledStratum, estimate, review_lines

counts = st.tuples(
    st.booleans(), st.integers(0, 9), st.integers(0, 9), st.sampled_from([0, 1, 50, 10**6])
).map(lambda s: LabelledStratum(s[0], max(1, s[1] + s[2] + s[3]), s[1], s[2]))


def truth(strata: list[tuple[bool, int, int]]) -> dict[str, float]:
    """All figures where every image is known: flagged, size, fakes of each stratum."""
    num = sum(size for _, size, _ in strata)
    flagged = sum(size for is_flagged, size, _ in strata if is_flagged)
    right = sum(fakes for is_flagged, _, fakes in strata if is_flagged)
    fakes = sum(fakes for *_, fakes in strata)
    return {
        "precision": right / flagged,
        "recall": right / fakes,
        "prevalence": fakes / num,
        "accuracy": (right + (num - flagged) - (fakes - right)) / num,
        "false_positive_rate": (flagged - right) / (num - fakes),
    }


@given(st.lists(counts, min_size=1, max_size=6))
@example([LabelledStratum(False, 2, 0, 1), LabelledStratum(True, 8, 1, 6)])  # 1 + 9e-16
@settings(max_examples=60)
def test_ends_enclose_the_value_and_stay_within_0_and_1(strata: list[LabelledStratum]) -> None:
    for figure in estimate(strata, num_draws=200).values():
        assert 0 <= figure.low <= figure.high <= 1
        assert (figure.value is None) == (figure.why_not is not None)
        if figure.value is not None:
            assert figure.low <= figure.value <= figure.high


def test_where_all_images_are_labelled_nothing_is_left_open() -> None:
    strata = [(False, 900, 30), (False, 100, 20), (True, 60, 50)]
    labelled = [LabelledStratum(f, size, size - fakes, fakes) for f, size, fakes in strata]
    found = estimate(labelled, num_draws=100)
    for name, exact in truth(strata).items():
        assert found[name].value == pytest.approx(exact, abs=1e-12)
        assert found[name].high - found[name].low < 1e-12


def test_strata_weigh_by_their_size_and_not_by_their_labels() -> None:
    found = estimate([LabelledStratum(True, 900, 5, 5), LabelledStratum(True, 100, 0, 90)])
    assert found["precision"].value == pytest.approx(0.9 * 0.5 + 0.1)
    assert found["recall"].value == 1


def test_one_stratum_has_the_interval_of_clopper_and_pearson() -> None:
    found = estimate([LabelledStratum(True, 10**9, 10, 90)], num_draws=200_000)["precision"]
    assert found.low == pytest.approx(0.8238, abs=0.001)
    assert found.high == pytest.approx(0.9510, abs=0.001)


def test_what_cannot_be_said_is_not_said() -> None:
    unseen = [LabelledStratum(False, 50, 0, 0), LabelledStratum(True, 50, 1, 9)]
    found = estimate(unseen)
    assert found["precision"].value == 0.9
    assert found["recall"].value is None
    assert found["recall"].why_not == "stratum 1 has no label"
    assert found["recall"].low < 0.5
    none_flagged = estimate([LabelledStratum(False, 50, 10, 0)])
    assert none_flagged["precision"].why_not == "no image is flagged"
    assert (none_flagged["precision"].low, none_flagged["precision"].high) == (0, 1)
    assert none_flagged["recall"].why_not == "no fake was found"
    assert none_flagged["prevalence"].high > 0.05
    assert "not known, since no fake was found" in review_lines(none_flagged, 0.95)[1]
    with pytest.raises(ValueError, match="at least one stratum"):
        estimate([])
    with pytest.raises(ValueError, match="2 real and 1 fake of 2"):
        LabelledStratum(True, 2, 2, 1)


@pytest.mark.parametrize(
    "strata",
    [
        # Flagged, size, fakes, labels: a rare kind with few labels, and one that is common.
        [(False, 75_000, 15, 30), (False, 25_000, 60, 20), (True, 300, 150, 25), (True, 90, 80, 5)],
        [(False, 1_500, 60, 40), (False, 500, 100, 30), (True, 1_000, 900, 40), (True, 50, 25, 10)],
        # Fakes that hardly any sample meets, in several strata.
        [
            (False, 75_000, 1, 99),
            (False, 18_750, 2, 50),
            (False, 4_700, 3, 25),
            (True, 600, 190, 80),
        ],
    ],
)
def test_intervals_hold_what_is_true(strata: list[tuple[bool, int, int, int]]) -> None:
    exact = truth([(flagged, size, fakes) for flagged, size, fakes, _ in strata])
    rng = np.random.default_rng(0)
    num_trials, held = 200, dict.fromkeys(FIGURES, 0)
    for trial in range(num_trials):
        labelled = []
        for flagged, size, fakes, labels in strata:
            found = int(rng.hypergeometric(fakes, size - fakes, labels))
            labelled.append(LabelledStratum(flagged, size, labels - found, found))
        for name, one in estimate(labelled, seed=trial, num_draws=300).items():
            held[name] += one.low - 1e-12 <= exact[name] <= one.high + 1e-12
    # 95 of 100 wished for; three standard deviations of 200 trials below that are 90.
    assert min(held.values()) >= 0.9 * num_trials, held
