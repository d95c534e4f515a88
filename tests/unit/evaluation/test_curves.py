"""Lines of a figure: the points of scikit-learn's curves, but fewer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import average_precision, roc_auc
from ufd_ray.evaluation.curves import NUM_STEPS, precision_recall_line, roc_line


@st.composite
def scored(
    draw: st.DrawFn,
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Some labels of both classes, and scores with ties or without."""
    num = draw(st.integers(2, 400))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    labels = (np.arange(num) % draw(st.integers(2, 5)) == 0).astype(np.int8)
    scores = (random.normal(size=num) + labels).astype(np.float32)
    return labels, np.round(scores, draw(st.integers(0, 4)))


@given(scored())
def test_precision_is_that_of_the_highest_threshold_that_reaches_a_recall(
    images: tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]],
) -> None:
    labels, scores = images
    recalls, line = precision_recall_line(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    assert len(recalls) == len(line) == NUM_STEPS
    for place in (0, 1, 99, 250, NUM_STEPS - 2, NUM_STEPS - 1):
        reaching = np.flatnonzero(recall >= recalls[place])
        assert line[place] == precision[reaching[-1]]
    assert line.mean() == pytest.approx(average_precision(labels, scores), abs=0.02)


@given(scored())
def test_a_roc_line_is_made_of_the_curves_points(
    images: tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]],
) -> None:
    labels, scores = images
    flagged, found = roc_line(labels, scores)
    curve = set(zip(*(side.tolist() for side in roc_curve(labels, scores)[:2]), strict=True))
    assert set(zip(flagged.tolist(), found.tolist(), strict=True)) <= curve
    assert (flagged[0], found[0], flagged[-1], found[-1]) == (0, 0, 1, 1)
    assert auc(flagged, found) == pytest.approx(roc_auc(labels, scores), abs=2 / NUM_STEPS)


def test_lines_of_many_images_are_short() -> None:
    labels = np.arange(100_000) % 2
    scores = np.random.default_rng(0).normal(size=100_000) + labels
    assert len(roc_line(labels, scores)[0]) <= 2 * NUM_STEPS + 3
    assert len(precision_recall_line(labels, scores)[0]) == NUM_STEPS


@pytest.mark.parametrize("line", [precision_recall_line, roc_line])
def test_one_class_has_no_curve(line: type) -> None:
    with pytest.raises(SettingsError, match="both classes"):
        line(np.ones(3, np.int8), np.zeros(3))
