"""What baselines' last layers see of test images → maps (the paper's Fig. 2: the sink class)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ufd_ray.evaluation import FEWEST_POINTS
from ufd_ray.pipeline.comparing.compared import Compared
from ufd_ray.pipeline.evaluating.embedding_figure import draw_map
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.report.figures import Drawing


def draw_features(one: Compared, kept: Any, seed: int) -> tuple[Drawing, dict[str, Any]]:
    """Draw a baseline's features of the same images as the map of embeddings has.

    Those of sets that are of a source it was trained on are the seen ones.

    Args:
        one: a baseline that has features.
        kept: `Collected.kept`, with their column.
        seed: of t-SNE.

    Returns:
        The figure, and how it came about, for `evaluation.json`.

    Raises:
        ValueError: there are too few, some are no finite numbers, or they are all the same.
    """
    if len(kept) < FEWEST_POINTS:
        raise ValueError(f"{len(kept)} images have features, of {FEWEST_POINTS} at least")
    features = (
        kept[one.features_column].combine_chunks().flatten().to_numpy().reshape(len(kept), -1)
    )
    if not np.isfinite(features).all():
        raise ValueError("some features are not finite numbers")
    labels = np.asarray(kept["label"], np.int8)
    sets = kept[TEST_SET].to_pylist()
    is_seen = np.isin(np.array(sets, object), list(one.seen))
    drawing, facts = draw_map(
        (features[~is_seen], labels[~is_seen]),
        (features[is_seen], labels[is_seen]),
        f"Features of {one.name}: what its last layer sees",
        "The test images of the map of embeddings. Seen: those of sets of its training source.",
        seed,
    )
    return drawing, {**facts, "seen_sets": sorted({*one.seen}.intersection(sets))}
