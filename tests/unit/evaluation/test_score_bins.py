"""Scores in bins: every image once, thresholds at an edge, the calibration error's own bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ufd_ray.evaluation import expected_calibration_error
from ufd_ray.evaluation.score_bins import count_scores, reliability_bins, score_edges

SHARES = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=60)


@given(SHARES, st.integers(1, 20))
def test_every_image_is_in_one_bin(shares: list[float], num_votes: int) -> None:
    scores = np.array(shares, np.float32)
    labels = np.arange(len(scores)) % 2
    for edges in (
        score_edges(scores, is_share=True),
        score_edges(scores, is_share=True, num_votes=num_votes),
        score_edges(scores - 0.5, is_share=False),
    ):
        counts = count_scores(labels, scores, edges)
        assert counts.shape == (2, len(edges) - 1)
        assert counts.sum(axis=1).tolist() == np.bincount(labels, minlength=2).tolist()


def test_a_score_at_the_threshold_lies_below_it() -> None:
    labels = np.array([0, 1, 0, 1])
    edges = score_edges(np.zeros(4), is_share=True)
    counts = count_scores(labels, np.array([0.5, 0.5001, 0.0, 1.0]), edges)
    assert counts[0].nonzero()[0].tolist() == [0, 9]
    assert counts[1].nonzero()[0].tolist() == [10, 19]
    margins = np.array([-0.2, 0.01, 0.0, 0.2])
    edges = score_edges(margins, is_share=False)
    assert 0.0 in edges
    counts = count_scores(labels, margins, edges)
    assert (counts[0].nonzero()[0] < 15).all()
    assert (counts[1].nonzero()[0] >= 15).all()


def test_each_share_of_a_vote_has_a_bin() -> None:
    votes = np.arange(10) / 9
    edges = score_edges(votes, is_share=True, num_votes=9)
    assert count_scores(np.zeros(10, int), votes.astype(np.float32), edges)[0].tolist() == [1] * 10


@given(SHARES)
def test_bins_come_to_the_calibration_error(shares: list[float]) -> None:
    scores = np.array(shares, np.float32)
    labels = np.arange(len(scores)) % 2
    counts, means, fakes = reliability_bins(labels, scores)
    there = counts > 0
    assert np.array_equal(np.isnan(means), ~there)
    error = float((counts[there] * np.abs(means[there] - fakes[there])).sum() / len(scores))
    assert error == pytest.approx(expected_calibration_error(labels, scores), abs=1e-9)
