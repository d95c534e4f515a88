from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from ufd_ray.evaluation import resampling
from ufd_ray.evaluation.resampling import (
    repeated_average_precision,
    resampled_average_precision,
)


@given(
    num=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([1, 3, 1000]),
)
def test_repeated_images_are_as_if_they_were_there_so_often(
    num: int, seed: int, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    fake = rng.random(num) < 0.4
    fake[rng.integers(num)] = True
    ranked = np.sort(rng.integers(0, levels, num) / levels)[::-1]
    times = rng.integers(0, 4, (5, num))
    times[:, fake] += 1
    found = repeated_average_precision(fake, ranked, times)
    expected = [average_precision_score(np.repeat(fake, t), np.repeat(ranked, t)) for t in times]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_groups_are_drawn_whole_and_each_kind_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 0, 1])
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 4, 4])  # two of reals, two of fakes, one of both
    seen = []
    whole = repeated_average_precision

    def watch(*parts: np.ndarray) -> np.ndarray:
        seen.append(parts[2])
        return whole(*parts)

    monkeypatch.setattr(resampling, "repeated_average_precision", watch)
    scores = -np.arange(9.0)  # falling, so that the columns keep their order
    found = resampled_average_precision(labels, scores, groups, num_draws=500, seed=3)
    times = np.concatenate(seen)
    assert found.shape == (500,)
    assert times.shape == (500, 9)
    np.testing.assert_array_equal(times[:, 0], times[:, 1])
    np.testing.assert_array_equal(times[:, 0] + times[:, 2], 2)
    np.testing.assert_array_equal(times[:, 4] + times[:, 6], 2)
    np.testing.assert_array_equal(times[:, 7:], 1)
    assert times[:, 0].mean() == pytest.approx(1, abs=0.15)
    assert set(times[:, 0]) == {0, 1, 2}


def test_what_is_in_memory_at_a_time_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels, groups = np.arange(40) % 2, np.arange(40)
    scores = rng.normal(size=40) + labels
    whole = resampled_average_precision(labels, scores, groups, num_draws=30, seed=1)
    monkeypatch.setattr(resampling, "_NUMBERS_AT_ONCE", 100)
    part = resampled_average_precision(labels, scores, groups, num_draws=30, seed=1)
    np.testing.assert_array_equal(part, whole)
