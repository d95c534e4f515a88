"""Images for figures: bounded, as many of each set, whoever comes first or last."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from ufd_ray.evaluation import SetPlan, plan_sets
from ufd_ray.pipeline.evaluating import sampled
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.pipeline.evaluating.sampled import SampledImages

NAMES = ["laion"] * 60 + ["dalle"] * 30 + ["progan"] * 200 + ["half"] * 10
LABELS = [0] * 60 + [1] * 30 + [0, 1] * 100 + [1] * 10
PLAN = plan_sets({("laion", 0): 60, ("dalle", 1): 30, ("progan", 0): 100, ("progan", 1): 100})


def drawn(seed: int = 0, rows_at_once: int = 37) -> SampledImages:
    found = SampledImages(seed)
    for first in range(0, len(NAMES), rows_at_once):
        few = slice(first, first + rows_at_once)
        columns = {
            "position": list(range(len(NAMES)))[few],
            "label": pa.array(LABELS[few], pa.int8()),
            TEST_SET: NAMES[few],
        }
        found.take(pa.table(columns))
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "MOST_OF_A_SET", 40)
    monkeypatch.setattr(sampled, "MOST_OF_A_CLASS", 70)


def by_stratum(positions: npt.NDArray[np.int64]) -> dict[tuple[str, int], int]:
    assert (np.diff(positions) > 0).all()
    strata = [(NAMES[place], LABELS[place]) for place in positions]
    return {stratum: strata.count(stratum) for stratum in strata}


@pytest.mark.usefixtures("small")
def test_so_many_of_every_set_that_is_judged() -> None:
    found = by_stratum(drawn().of_sets(PLAN))
    assert found == {("laion", 0): 40, ("dalle", 1): 30, ("progan", 0): 40, ("progan", 1): 40}


@pytest.mark.usefixtures("small")
def test_as_many_of_every_set_as_of_another_as_far_as_they_go() -> None:
    found = by_stratum(drawn().of_classes(PLAN))
    assert found == {("laion", 0): 35, ("progan", 0): 35, ("dalle", 1): 30, ("progan", 1): 40}


@pytest.mark.usefixtures("small")
def test_the_same_seed_draws_the_same() -> None:
    assert np.array_equal(drawn().of_sets(PLAN), drawn().of_sets(PLAN))
    # A table's end is not to be seen in what is drawn.
    assert np.array_equal(drawn().of_sets(PLAN), drawn(rows_at_once=500).of_sets(PLAN))
    assert not np.array_equal(drawn().of_sets(PLAN), drawn(seed=1).of_sets(PLAN))


def test_each_image_is_as_likely_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "MOST_OF_A_SET", 10)
    counts = np.zeros(len(NAMES))
    for seed in range(300):
        counts[drawn(seed, 100).of_sets(PLAN)] += 1
    of_laion = counts[:60]  # 300 × 10 / 60 = 50 each are to be expected, ± 6.5
    assert of_laion.sum() == 3000
    assert 25 < of_laion.min() <= of_laion.max() < 80
    assert abs(of_laion[:30].sum() - 1500) < 150


def test_sets_without_a_panel_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "MOST_PANELS", 1)
    assert by_stratum(drawn().of_sets(PLAN)) == {("progan", 0): 100, ("progan", 1): 100}


def test_without_sets_nothing_is_drawn() -> None:
    empty = SampledImages(0)
    assert len(empty.of_sets(SetPlan({}, {}))) == len(empty.of_classes(PLAN)) == 0
