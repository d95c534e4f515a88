from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ufd_ray.evaluation import average_precision, resampling, roc_auc, tpr_at_fpr
from ufd_ray.evaluation.repeated import average_precisions, count_repeated, roc_aucs, tprs_at_fpr
from ufd_ray.evaluation.resampling import resample


@settings(max_examples=50)
@given(
    num=st.integers(2, 30),
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([1, 3, 1000]),
    bound=st.sampled_from([0.0, 0.01, 0.05, 1 / 3, 0.5, 1.0]),
)
def test_repeated_images_are_as_if_they_were_there_so_often(
    num: int, seed: int, levels: int, bound: float
) -> None:
    rng = np.random.default_rng(seed)
    fake = rng.random(num) < 0.4
    first, second = rng.choice(num, 2, replace=False)
    fake[first], fake[second] = True, False
    ranked = np.sort(rng.integers(0, levels, num) / levels)[::-1]
    times = rng.integers(0, 4, (5, num))
    times[:, [first, second]] += 1
    counted = count_repeated(fake, ranked, times)
    there = [(np.repeat(fake, t).astype(int), np.repeat(ranked, t)) for t in times]
    for found, figure in (
        (average_precisions(counted), average_precision),
        (roc_aucs(counted), roc_auc),
        (tprs_at_fpr(counted, bound), partial(tpr_at_fpr, max_fpr=bound)),
    ):
        np.testing.assert_allclose(found, [figure(*some) for some in there], rtol=1e-12)


def test_groups_are_drawn_whole_and_each_kind_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 0, 1])
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 4, 4])  # two of reals, two of fakes, one of both
    seen = []

    def watch(*parts: np.ndarray) -> object:
        seen.append(parts[2])
        return count_repeated(*parts)

    monkeypatch.setattr(resampling, "count_repeated", watch)
    scores = -np.arange(9.0)  # falling, so that the columns keep their order
    found = resample(labels, scores, groups, [average_precisions, roc_aucs], num_draws=500, seed=3)
    times = np.concatenate(seen)
    assert found.shape == (2, 500)
    assert times.shape == (500, 9)
    np.testing.assert_array_equal(times[:, 0], times[:, 1])
    np.testing.assert_array_equal(times[:, 0] + times[:, 2], 2)
    np.testing.assert_array_equal(times[:, 4] + times[:, 6], 2)
    np.testing.assert_array_equal(times[:, 7:], 1)
    assert times[:, 0].mean() == pytest.approx(1, abs=0.15)
    assert set(times[:, 0]) == {0, 1, 2}


def test_what_is_in_memory_at_a_time_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    scores = rng.normal(size=40) + labels

    def drawn() -> NDArray[np.float64]:
        return resample(labels, scores, np.arange(40), [roc_aucs], num_draws=30, seed=1)

    whole = drawn()
    monkeypatch.setattr(resampling, "_NUMBERS_AT_ONCE", 100)
    np.testing.assert_array_equal(drawn(), whole)
