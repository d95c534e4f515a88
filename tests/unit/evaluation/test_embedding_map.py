"""Maps of embeddings: the same again, groups apart, and what has no map."""

from __future__ import annotations

import numpy as np
import pytest

from ufd_ray.evaluation.embedding_map import MapSettings, embedding_map


def test_groups_that_lie_apart_stay_apart() -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(2, 60))
    groups = np.arange(40) % 2
    embeddings = (centres[groups] + 0.1 * random.normal(size=(40, 60))).astype(np.float32)
    points, settings = embedding_map(embeddings, seed=2**40)
    assert settings == MapSettings(2**40, 13.0, 40, 1000)
    middles = np.stack([points[groups == group].mean(axis=0) for group in (0, 1)])
    distances = np.linalg.norm(points[:, None] - middles, axis=2)
    assert np.array_equal(distances.argmin(axis=1), groups)
    # Lengths say nothing. (Powers of two, so that no rounding does: the descent magnifies it.)
    longer = embeddings * 2.0 ** random.integers(-3, 4, (40, 1))
    assert np.array_equal(embedding_map(longer, seed=2**40)[0], points)


def test_what_has_no_length_has_a_place() -> None:
    embeddings = np.random.default_rng(0).normal(size=(12, 3))
    embeddings[5] = 0
    assert np.isfinite(embedding_map(embeddings, 0)[0]).all()


def test_the_same_embeddings_are_the_same_points() -> None:
    embeddings = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float16)
    assert np.array_equal(embedding_map(embeddings, 1)[0], embedding_map(embeddings, 1)[0])


@pytest.mark.parametrize(
    ("embeddings", "why"),
    [
        (np.ones((9, 4)), "9 embeddings, of which a map needs 10"),
        (np.outer(np.arange(1, 13), np.ones(4)), "point the same way"),
    ],
)
def test_what_has_no_map(embeddings: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        embedding_map(embeddings, 0)
