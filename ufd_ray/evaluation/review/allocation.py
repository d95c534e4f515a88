"""Which strata the images of a run make, and how many of each are to be labelled.

Each verdict is cut by how near a score comes to the threshold: of four strata the nearest has 1/64
of the images, the farthest 3/4. A verdict's labels are shared out by the square roots of the sizes
of its strata, which is optimal (Neyman, 1934) where wrong verdicts are about as many in each: often
near the threshold, seldom far from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MOST = 4
_LABELS_A_STRATUM = 5
_RATIO = 4
FEWEST = 2
"""Labels that a stratum gets at least, where it has so many images."""


def stratum_cuts(num_labels: int, num_verdicts: int) -> list[float]:
    """Where a verdict's images are cut, by their rank from the threshold.

    Args:
        num_labels: how many images are to be labelled.
        num_verdicts: verdicts that share them.

    Returns:
        Shares of a verdict's images, rising, each between 0 and 1; a stratum more than numbers.
        None where labels are so few that each stratum would have fewer than five.
    """
    num_strata = min(_MOST, max(1, num_labels // num_verdicts // _LABELS_A_STRATUM))
    return [float(_RATIO) ** -power for power in range(num_strata - 1, 0, -1)]


def allocate(sizes: Sequence[int], verdicts: Sequence[str], num_labels: int) -> list[int]:
    """Share labels out over strata: verdicts alike, within one by the square root of the size.

    Args:
        sizes: images of each stratum, at least 1.
        verdicts: of each stratum.
        num_labels: how many images are to be labelled.

    Returns:
        Labels of each stratum: at least `FEWEST`, at most its size; all of them together
        `num_labels`, or all images where these are fewer, or more where `FEWEST` asks for it.
    """
    most = np.asarray(sizes, np.int64)
    _, verdict = np.unique(np.asarray(verdicts), return_inverse=True)
    roots = np.sqrt(most)
    weights = roots / np.bincount(verdict, weights=roots)[verdict]
    labels = np.minimum(most, FEWEST)
    # One by one to the stratum that lacks most of its share: what a full one leaves goes to others.
    for _ in range(int(min(num_labels, most.sum()) - labels.sum())):
        lacking = np.where(labels < most, weights / (labels + 1), -1.0)
        labels[int(lacking.argmax())] += 1
    return [int(number) for number in labels]
