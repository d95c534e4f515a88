"""Embeddings → points in the plane, near ones near (the paper's Fig. 2 and 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

_PERPLEXITY = 30.0
_NUM_STEPS = 1_000
_NUM_COMPONENTS = 50
FEWEST_POINTS = 10
"""With fewer, a map says nothing."""


@dataclass(frozen=True)
class MapSettings:
    """How a map was made.

    Attributes:
        seed: of the principal components.
        perplexity: how many neighbours a point has, about.
        components: principal components that are left of the embeddings before.
        steps: of the descent.
    """

    seed: int
    perplexity: float
    components: int
    steps: int


def embedding_map(
    embeddings: NDArray[np.floating], seed: int
) -> tuple[NDArray[np.float32], MapSettings]:
    """t-SNE of directions: embeddings of length 1, whose principal components it starts from.

    One of length 0, as features behind a ReLU may be, has no direction and stays where it is.
    On one thread, so that the same embeddings are the same points on every machine of a kind.

    Source: van der Maaten and Hinton, "Visualizing data using t-SNE" (2008). The paper does not say
    with which settings; these are scikit-learn's own.

    Args:
        embeddings: (n, dim) floating, n at least `FEWEST_POINTS`.
        seed: 0 … 2**63 - 1.

    Returns:
        (n, 2), and how they were made.

    Raises:
        ValueError: there are too few, or all point the same way.
    """
    # Here, not above: it takes half a second, and most who judge draw no map.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    num = len(embeddings)
    if num < FEWEST_POINTS:
        raise ValueError(f"{num} embeddings, of which a map needs {FEWEST_POINTS}")
    exact = embeddings.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    directions = exact / np.where(lengths > 0, lengths, 1)
    if np.ptp(directions, axis=0).max() < 1e-6:
        raise ValueError("all embeddings point the same way")
    state = int(np.random.default_rng(seed).integers(2**31))
    components = min(_NUM_COMPONENTS, num, directions.shape[1])
    perplexity = min(_PERPLEXITY, (num - 1) / 3)
    with threadpool_limits(1):
        reduced = PCA(components, svd_solver="covariance_eigh").fit_transform(directions)
        points = TSNE(
            perplexity=perplexity,
            max_iter=_NUM_STEPS,
            init="pca",
            random_state=state,
            n_jobs=1,
        ).fit_transform(reduced.astype(np.float32))
    return points, MapSettings(seed, perplexity, components, _NUM_STEPS)
